"""The C2SP texts: published examples are read and written back byte for byte, the rest is refused by name."""

import random
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.notes import (
    MAX_EXTENSION_LINES,
    MAX_NOTE_BYTES,
    MAX_NUMBER,
    MAX_PROOF_BYTES,
    MAX_PROOF_HASHES,
    MAX_SIGNATURES,
    Checkpoint,
    EntryProof,
    Note,
    NoteError,
    NoteFault,
    NoteKey,
    NoteSignature,
    SignatureType,
    Signed,
    cosigned_message,
    open_note,
)

SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PLUS_KEY = "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6"
WITNESS_KEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"

SALVATORE = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501 -- the example of the format, as published.
COSIGNED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501 -- the example of the format, as published.
# The published example shortens its signatures and its extra data is no base64: both are replaced here.
PROOF = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJ1roloI=
— witness1.example mJirIkljqY9v2B/5bg==
"""

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
LINE = "— example.com/foo AAAAAAA="


@pytest.mark.parametrize(
    "vkey,kind,key_id",
    [
        (SPEC_KEY, SignatureType.ED25519, "530d903a"),
        (GO_KEY, SignatureType.ED25519, "c74f20a3"),
        (PLUS_KEY, SignatureType.ED25519, "7997405c"),
        (WITNESS_KEY, SignatureType.COSIGNATURE_V1, "da77ade7"),
    ],
)
def test_given_published_keys_then_their_ids_are_derived_and_they_are_written_back(
    vkey: str, kind: SignatureType, key_id: str
) -> None:
    key = NoteKey.parse(vkey)
    assert (key.kind, key.key_id.hex(), str(key)) == (kind, key_id, vkey)


def test_given_the_go_key_mangled_in_any_place_then_it_is_refused() -> None:
    """The same manglings as in the tests of golang.org/x/mod/sumdb/note."""
    cuts = [GO_KEY[low:high] for low in range(len(GO_KEY)) for high in range(low, len(GO_KEY) + 1)]
    cuts.remove(GO_KEY)
    bumps = [GO_KEY[:at] + chr(ord(char) + 1) + GO_KEY[at + 1 :] for at, char in enumerate(GO_KEY)]
    longer = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="
    of_unknown_type = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    upper_case = GO_KEY.replace("c74f20a3", "C74F20A3")
    for mangled in [*cuts, *bumps, longer, of_unknown_type, upper_case]:
        with pytest.raises(NoteError):
            NoteKey.parse(mangled)


@pytest.mark.parametrize("published", [SALVATORE, COSIGNED])
def test_given_published_notes_then_they_are_read_and_written_back(published: str) -> None:
    assert bytes(Note.parse(published.encode())) == published.encode()


def test_given_a_text_with_empty_lines_then_the_last_empty_line_ends_it() -> None:
    note = Note.parse(SALVATORE.encode())
    assert note.text.endswith("\n\ned è subito sera.\n")
    assert [(each.name, each.key_id.hex()) for each in note.signatures] == [("quasimodo.example/salvatore", "367ba04b")]


def test_given_the_published_cosigned_checkpoint_then_its_parts_are_read() -> None:
    note = Note.parse(COSIGNED.encode())
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert b64encode(checkpoint.root).decode() == ROOT
    assert str(checkpoint) == note.text
    assert int.from_bytes(note.signatures[1].payload[:8]) == 1679315147
    assert len(note.signatures[1].payload) == 72
    assert cosigned_message(note.text, 1679315147).decode() == (
        f"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n{ROOT}\n"
    )


def test_given_a_proof_then_it_is_read_and_written_back() -> None:
    proof = EntryProof.parse(PROOF.encode())
    assert (proof.index, len(proof.hashes), proof.extra) == (73894, 5, b"age-v1.2.1-darwin-arm64.tar.gz")
    assert Checkpoint.parse(proof.note.text).size == 109482
    assert bytes(proof) == PROOF.encode()
    plain = EntryProof(0, (), proof.note)
    assert bytes(plain) == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + bytes(proof.note)
    assert EntryProof.parse(bytes(plain)) == plain


@dataclass(frozen=True)
class Believer:
    """A verifier that believes every signature, to show what is refused before it is asked."""

    key: NoteKey

    def verify(self, message: bytes, signature: bytes) -> bool:
        return bool(message) and bool(signature)


@pytest.mark.parametrize("length", [1, 63, 65, 72])
def test_given_a_signature_of_another_length_then_the_verifier_is_not_asked(length: int) -> None:
    key = NoteKey.parse(SPEC_KEY)
    right = Note("text\n", (NoteSignature(key.name, key.key_id, bytes(64)),))
    assert open_note(bytes(right), [Believer(key)]) == ("text\n", (Signed(key, None),))
    wrong = Note("text\n", (NoteSignature(key.name, key.key_id, bytes(length)),))
    with pytest.raises(NoteError) as refused:
        open_note(bytes(wrong), [Believer(key)])
    assert refused.value.fault is NoteFault.SIGNATURE_WRONG


@pytest.mark.parametrize(
    "data,fault",
    [
        (b"", NoteFault.NO_SIGNATURES),
        (b"text\n", NoteFault.NO_SIGNATURES),
        (b"text\n\n", NoteFault.NO_SIGNATURES),
        (f"text\n\n{LINE}".encode(), NoteFault.NO_SIGNATURES),
        (f"text\n{LINE}\n".encode(), NoteFault.NO_SIGNATURES),
        (f"text\n\n{LINE}\nmore\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        (f"text\n\n{LINE}\n\n".encode(), NoteFault.NO_SIGNATURES),
        (f"\x01text\n\n{LINE}\n".encode(), NoteFault.NOT_TEXT),
        (f"text\r\n\n{LINE}\n".encode(), NoteFault.NOT_TEXT),
        (b"\xfftext\n\n" + f"{LINE}\n".encode(), NoteFault.NOT_TEXT),
        ("text\n\n— a name AAAAAAA=\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        ("text\n\n— a\u3000name AAAAAAA=\n".encode(), NoteFault.NAME_MALFORMED),
        ("text\n\n— a+b AAAAAAA=\n".encode(), NoteFault.NAME_MALFORMED),
        ("text\n\n—  AAAAAAA=\n".encode(), NoteFault.NAME_MALFORMED),
        (f"text\n\n— {'n' * 256} AAAAAAA=\n".encode(), NoteFault.NAME_MALFORMED),
        (b"text\n\n- name AAAAAAA=\n", NoteFault.SIGNATURE_LINE_MALFORMED),
        ("text\n\n— name\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        ("text\n\n— name AAAAAA==\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        ("text\n\n— name AAAAAAA\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        ("text\n\n— name AAAAAAB=\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        ("text\n\n— name AAAA-AA=\n".encode(), NoteFault.SIGNATURE_LINE_MALFORMED),
        (b"text\n\n" + f"{LINE}\n".encode() * 33, NoteFault.TOO_MANY_SIGNATURES),
        (b"x" * (MAX_NOTE_BYTES + 1), NoteFault.TOO_LARGE),
    ],
)
def test_given_what_is_no_note_then_it_is_refused_by_name(data: bytes, fault: NoteFault) -> None:
    with pytest.raises(NoteError) as refused:
        Note.parse(data)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        f"origin\n7\n{ROOT}",
        f"origin\n7\n{ROOT}\n\n",
        f"\n7\n{ROOT}\n",
        f"origin\n07\n{ROOT}\n",
        f"origin\n+7\n{ROOT}\n",
        f"origin\n-7\n{ROOT}\n",
        f"origin\n７\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n{2**63}\n{ROOT}\n",
        f"origin\n{'9' * 5000}\n{ROOT}\n",
        f"origin\n7\n{ROOT[:-1]}\n",
        "origin\n7\nAAAA\n",
        f"origin\n7\n {ROOT}\n",
        f"origin\n7\n{ROOT}\nextension\n\nmore\n",
    ],
)
def test_given_what_is_no_checkpoint_then_it_is_refused(text: str) -> None:
    with pytest.raises(NoteError) as refused:
        Checkpoint.parse(text)
    assert refused.value.fault is NoteFault.CHECKPOINT_MALFORMED


def test_given_extension_lines_then_they_are_kept_up_to_the_limit() -> None:
    lines = [f"line {number}" for number in range(MAX_EXTENSION_LINES)]
    text = "\n".join(["origin", "7", ROOT, *lines, ""])
    assert Checkpoint.parse(text).extensions == tuple(lines)
    assert str(Checkpoint.parse(text)) == text
    with pytest.raises(NoteError) as refused:
        Checkpoint.parse(f"{text}one more\n")
    assert refused.value.fault is NoteFault.TOO_LARGE


@pytest.mark.parametrize(
    "found,put,fault",
    [
        ("@v1", "@v2", NoteFault.PROOF_MALFORMED),
        ("extra ", "extra\t", NoteFault.PROOF_MALFORMED),
        ("extra YWdl", "extra !WdL", NoteFault.PROOF_MALFORMED),
        ("extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6", "extra ", NoteFault.PROOF_MALFORMED),
        ("index 73894", "index 073894", NoteFault.PROOF_MALFORMED),
        ("index 73894", "index -5", NoteFault.PROOF_MALFORMED),
        ("index 73894", "index notanumber", NoteFault.PROOF_MALFORMED),
        ("index 73894", f"index {2**63}", NoteFault.PROOF_MALFORMED),
        ("index 73894\n", "", NoteFault.PROOF_MALFORMED),
        ("gSKyXoYZ", "gSKyXoY", NoteFault.PROOF_MALFORMED),
        ("gSKyXoYZ", "!!notb64", NoteFault.PROOF_MALFORMED),
        ("gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=", "AAAA", NoteFault.PROOF_MALFORMED),
        ("5vk=\n\n", "5vk=\n" + f"{ROOT}\n" * 59 + "\n", NoteFault.TOO_LARGE),
        ("— witness1.example", "witness1.example", NoteFault.SIGNATURE_LINE_MALFORMED),
    ],
)
def test_given_a_proof_with_a_fault_then_it_is_refused_by_name(found: str, put: str, fault: NoteFault) -> None:
    assert PROOF.count(found) == 1
    with pytest.raises(NoteError) as refused:
        EntryProof.parse(PROOF.replace(found, put).encode())
    assert refused.value.fault is fault


def test_given_a_proof_at_every_limit_then_it_is_read_and_above_one_refused() -> None:
    note = Note("text\n", (NoteSignature("name", b"\0" * 4, b"\0"),) * MAX_SIGNATURES)
    widest = EntryProof(MAX_NUMBER, (b"\0" * 32,) * MAX_PROOF_HASHES, note, b"\0" * 65_535)
    assert EntryProof.parse(bytes(widest)) == widest
    for data in (b"x" * (MAX_PROOF_BYTES + 1), bytes(widest) + b"x" * MAX_PROOF_BYTES):
        with pytest.raises(NoteError) as refused:
            EntryProof.parse(data)
        assert refused.value.fault is NoteFault.TOO_LARGE


@pytest.mark.parametrize("timestamp_s", [-1, 2**63])
def test_given_a_time_outside_the_format_then_nothing_is_cosigned(timestamp_s: int) -> None:
    with pytest.raises(NoteError) as refused:
        cosigned_message("text\n", timestamp_s)
    assert refused.value.fault is NoteFault.COSIGNATURE_MALFORMED


def test_given_a_lone_surrogate_then_it_is_refused_as_no_text() -> None:
    for wrong in (
        lambda: NoteKey("\ud800", SignatureType.ED25519, bytes(32)),
        lambda: Checkpoint("\ud800", 1, bytes(32)),
        lambda: Note("\ud800\n", (NoteSignature("name", bytes(4), b"\0"),)),
    ):
        with pytest.raises(NoteError) as refused:
            wrong()
        assert refused.value.fault is NoteFault.NOT_TEXT


# No surrogates, which UTF-8 does not have, and no control characters; spaces and plus signs part names.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n"), max_size=60)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Z"], exclude_characters="+"),
    min_size=1,
    max_size=9,
)


@given(
    TEXTS,
    st.lists(st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1)), min_size=1),
)
def test_given_any_parts_then_what_is_written_is_read_back(text: str, signatures: list[NoteSignature]) -> None:
    note = Note(f"{text}\n", tuple(signatures[:MAX_SIGNATURES]))
    assert Note.parse(bytes(note)) == note


def test_given_20_000_changed_texts_then_what_is_accepted_is_written_back_unchanged() -> None:
    rng = random.Random(1679315147)
    texts: list[tuple[Callable[[bytes], Note | EntryProof], str]] = [
        (Note.parse, COSIGNED),
        (EntryProof.parse, PROOF),
    ]
    accepted = 0
    for number in range(20_000):
        parse, original = texts[number % 2]
        data = bytearray(original.encode())
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    del data[at : at + rng.randrange(1, 3)]
                case _:
                    data[at:at] = rng.choice([b"\n", b" ", b"=", b"+", b"0", b"A", "—".encode(), b"\r"])
        try:
            read = parse(bytes(data))
        except NoteError:
            continue
        accepted += 1
        assert bytes(read) == bytes(data)
    assert 1_000 < accepted < 19_000
