"""Signing and checking notes: published signatures, an independent implementation, forgeries, key files."""

import random
import stat
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from tlog_scales.signing import PlainEd25519Signer, Vkey
from tlog_scales.tlog import Checkpoint as OtherCheckpoint

from auth.notes import (
    KeyFileError,
    NoteSigner,
    generate_key,
    load_key,
    open_checkpoint,
    open_note,
    open_proof,
    save_key,
    sign_checkpoint,
)
from plants.rules.ledger.merkle import inclusion_proof, leaf_hash, root_at
from plants.rules.ledger.notes import Checkpoint, EntryProof, Note, NoteError, NoteFault, NoteSignature

GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# A checkpoint of a public certificate log, signed by it and cosigned by public witnesses.
ARCHE = "arche2025h1.staging.ct.transparency.dev"
ARCHE_KEY = f"{ARCHE}+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
REMORA_KEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
ARCHE_NOTE = f"""\
{ARCHE}
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— {ARCHE} zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— {ARCHE} ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
""".encode()  # noqa: E501 -- signatures as published.

PLANT = "acme.example/plant/P01/i1"
HUB = "acme.example/hub/i1"
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(300)]
NOW_S = 1_790_000_000


def plant_signer() -> NoteSigner:
    return NoteSigner(PLANT, Ed25519PrivateKey.from_private_bytes(b"p" * 32))


def hub_signer() -> NoteSigner:
    return NoteSigner(HUB, Ed25519PrivateKey.from_private_bytes(b"h" * 32))


def cosigned_note() -> Note:
    note = sign_checkpoint(Checkpoint(PLANT, 300, root_at(LEAVES, 300)), plant_signer())
    return note.signed_also(hub_signer().cosign(note, NOW_S))


def fault_of(data: bytes, origin: str, *vkeys: str) -> NoteFault:
    with pytest.raises(NoteError) as refused:
        open_checkpoint(data, origin, vkeys)
    return refused.value.fault


def test_given_the_example_of_the_format_then_its_signature_holds() -> None:
    text, signed = open_note(SPEC_NOTE.encode(), [SPEC_KEY])
    assert text == "This is an example message.\n"
    assert [(str(each.key), each.timestamp_s) for each in signed] == [(SPEC_KEY, None)]


def test_given_the_go_reference_key_then_the_same_bytes_are_signed() -> None:
    signer = NoteSigner("PeterNeumann", Ed25519PrivateKey.from_private_bytes(PETER_SEED))
    assert str(signer.key) == PETER_KEY
    assert bytes(Note(GO_TEXT, (signer.sign(GO_TEXT),))).decode() == f"{GO_TEXT}\n{PETER}"


@pytest.mark.parametrize(
    "lines,vkeys,names",
    [
        (PETER + ENOCH, [PETER_KEY], ["PeterNeumann"]),
        (PETER + ENOCH, [PETER_KEY, ENOCH_KEY], ["PeterNeumann", "EnochRoot"]),
        (ENOCH + PETER, [PETER_KEY, ENOCH_KEY, PETER_KEY], ["EnochRoot", "PeterNeumann"]),
    ],
)
def test_given_the_go_reference_notes_then_trusted_signatures_are_told(
    lines: str, vkeys: list[str], names: list[str]
) -> None:
    text, signed = open_note(f"{GO_TEXT}\n{lines}".encode(), vkeys)
    assert text == GO_TEXT
    assert [each.key.name for each in signed] == names


@pytest.mark.parametrize(
    "lines,vkeys,fault",
    [
        (PETER + ENOCH, [], NoteFault.SIGNER_UNKNOWN),
        (PETER, [ENOCH_KEY], NoteFault.SIGNER_UNKNOWN),
        (PETER.replace("x08go/ZJ", "x08go/ZK"), [PETER_KEY], NoteFault.SIGNATURE_WRONG),
        (PETER[:60] + "ABCD" + PETER[60:], [PETER_KEY], NoteFault.SIGNATURE_WRONG),
        (PETER.replace("x08go", "x08gp"), [PETER_KEY], NoteFault.SIGNER_UNKNOWN),
        (PETER + ENOCH.replace("2tiO", "2tiP"), [PETER_KEY, ENOCH_KEY], NoteFault.SIGNATURE_WRONG),
    ],
)
def test_given_signatures_that_do_not_hold_then_the_note_is_refused_by_name(
    lines: str, vkeys: list[str], fault: NoteFault
) -> None:
    with pytest.raises(NoteError) as refused:
        open_note(f"{GO_TEXT}\n{lines}".encode(), vkeys)
    assert refused.value.fault is fault


def test_given_a_public_checkpoint_then_the_log_and_its_witness_are_told() -> None:
    signed = open_checkpoint(ARCHE_NOTE, ARCHE, [ARCHE_KEY, REMORA_KEY])
    assert signed.checkpoint.size == 1432088532
    assert [(each.key.name, each.timestamp_s) for each in signed.signatures] == [
        (ARCHE, None),
        ("remora.n621.de", 0x6A122120),
    ]
    assert signed.cosigned_by("remora.n621.de") == 0x6A122120
    assert signed.cosigned_by(ARCHE) is None
    assert fault_of(ARCHE_NOTE, ARCHE, REMORA_KEY) is NoteFault.SIGNER_UNKNOWN
    assert fault_of(ARCHE_NOTE, PLANT, ARCHE_KEY) is NoteFault.ORIGIN_WRONG
    larger = ARCHE_NOTE.replace(b"1432088532", b"1432088533")
    assert fault_of(larger, ARCHE, ARCHE_KEY) is NoteFault.SIGNATURE_WRONG
    assert fault_of(larger, ARCHE, REMORA_KEY) is NoteFault.SIGNATURE_WRONG


def test_given_our_cosigned_checkpoint_then_an_independent_implementation_accepts_it() -> None:
    other = OtherCheckpoint.from_text(bytes(cosigned_note()).decode())
    assert (other.origin, other.size, other.root_hash) == (PLANT, 300, root_at(LEAVES, 300))
    other.verify(Vkey.from_string(str(plant_signer().key)))
    other.verify(Vkey.from_string(str(hub_signer().witness_key)))


def test_given_a_checkpoint_of_an_independent_implementation_then_it_is_accepted() -> None:
    signer = PlainEd25519Signer(PLANT, b"p" * 32)
    data = OtherCheckpoint.make_signed(PLANT, 7, root_at(LEAVES, 7), [signer]).serialize().encode()
    signed = open_checkpoint(data, PLANT, [str(plant_signer().key)])
    assert signed.checkpoint == Checkpoint(PLANT, 7, root_at(LEAVES, 7))


def test_given_a_receipt_then_it_tells_when_the_hub_cosigned() -> None:
    signed = open_checkpoint(bytes(cosigned_note()), PLANT, [str(plant_signer().key), str(hub_signer().witness_key)])
    assert signed.checkpoint == Checkpoint(PLANT, 300, root_at(LEAVES, 300))
    assert signed.cosigned_by(HUB) == NOW_S
    again = cosigned_note().signed_also(hub_signer().cosign(cosigned_note(), NOW_S + 60))
    later = open_checkpoint(bytes(again), PLANT, [str(plant_signer().key), str(hub_signer().witness_key)])
    assert later.cosigned_by(HUB) == NOW_S + 60


def test_given_only_the_witness_then_it_is_no_checkpoint_of_the_ledger() -> None:
    data = bytes(cosigned_note())
    assert fault_of(data, PLANT, str(hub_signer().witness_key)) is NoteFault.SIGNER_UNKNOWN
    assert fault_of(data, PLANT, str(hub_signer().key)) is NoteFault.SIGNER_UNKNOWN
    assert fault_of(data, PLANT, str(plant_signer().witness_key)) is NoteFault.SIGNER_UNKNOWN


def test_given_a_ledger_that_only_cosigned_itself_then_it_is_no_checkpoint_of_the_ledger() -> None:
    note = sign_checkpoint(Checkpoint(PLANT, 300, root_at(LEAVES, 300)), plant_signer())
    data = bytes(Note(note.text, (plant_signer().cosign(note, NOW_S),)))
    assert open_note(data, [str(plant_signer().witness_key)])[1][0].timestamp_s == NOW_S
    assert fault_of(data, PLANT, str(plant_signer().witness_key)) is NoteFault.SIGNER_UNKNOWN


def test_given_a_cosignature_with_another_time_then_it_is_wrong() -> None:
    note = cosigned_note()
    line = note.signatures[1]
    moved = NoteSignature(line.name, line.key_id, (NOW_S - 1).to_bytes(8) + line.payload[8:])
    short = NoteSignature(line.name, line.key_id, line.payload[:5])
    vkeys = [str(plant_signer().key), str(hub_signer().witness_key)]
    for forged in (moved, short):
        data = bytes(Note(note.text, (note.signatures[0], forged)))
        assert fault_of(data, PLANT, *vkeys) is NoteFault.SIGNATURE_WRONG


def test_given_a_plain_signature_over_a_cosignature_then_it_is_never_made() -> None:
    with pytest.raises(NoteError):
        plant_signer().sign(f"cosignature/v1\ntime {NOW_S}\n{Checkpoint(PLANT, 0, bytes(32))}")


def test_given_what_is_no_checkpoint_then_no_witness_cosigns_it() -> None:
    with pytest.raises(NoteError) as refused:
        hub_signer().cosign(Note("hello\n", (plant_signer().sign("hello\n"),)), NOW_S)
    assert refused.value.fault is NoteFault.CHECKPOINT_MALFORMED


def test_given_another_ledgers_checkpoint_then_the_signer_does_not_sign_it() -> None:
    with pytest.raises(ValueError, match="does not sign checkpoints of"):
        sign_checkpoint(Checkpoint(PLANT, 0, bytes(32)), hub_signer())


def test_given_an_entry_then_its_proof_opens_offline_and_for_that_entry_only() -> None:
    proof = bytes(EntryProof(42, inclusion_proof(LEAVES, 42, 300), cosigned_note()))
    vkeys = [str(plant_signer().key), str(hub_signer().witness_key)]
    index, signed = open_proof(proof, LEAVES[42], PLANT, vkeys)
    assert (index, signed.checkpoint.size, signed.cosigned_by(HUB)) == (42, 300, NOW_S)
    for data, leaf in (
        (proof, LEAVES[43]),
        (proof.replace(b"index 42", b"index 43"), LEAVES[42]),
        (proof.replace(b"index 42", b"index 300"), LEAVES[42]),
        (bytes(EntryProof(42, inclusion_proof(LEAVES, 42, 299), cosigned_note())), LEAVES[42]),
    ):
        with pytest.raises(NoteError) as refused:
            open_proof(data, leaf, PLANT, vkeys)
        assert refused.value.fault is NoteFault.NOT_INCLUDED


def test_given_any_byte_of_a_signed_checkpoint_changed_then_it_is_never_believed() -> None:
    note = bytes(cosigned_note())
    vkeys = [str(plant_signer().key), str(hub_signer().witness_key)]
    rng = random.Random(8032)
    text_bytes = note.index(b"\n\n") + 1
    for at in range(len(note)):
        forged = note[:at] + bytes([note[at] ^ (1 << rng.randrange(8))]) + note[at + 1 :]
        try:
            signed = open_checkpoint(forged, PLANT, vkeys)
        except NoteError:
            continue
        # A witness's line made unreadable as its own is ignored, as is any stranger's.
        assert at > text_bytes
        assert signed.checkpoint == Checkpoint(PLANT, 300, root_at(LEAVES, 300))
        assert signed.cosigned_by(HUB) is None


def test_given_a_new_key_then_it_is_kept_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "plant.pem"
    key = generate_key()
    save_key(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert load_key(path).private_bytes_raw() == key.private_bytes_raw()
    assert [each.name for each in tmp_path.iterdir()] == ["plant.pem"]
    assert generate_key().private_bytes_raw() != key.private_bytes_raw()


def test_given_a_key_that_is_there_then_it_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "plant.pem"
    save_key(path, generate_key())
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        save_key(path, generate_key())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["plant.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o620])
def test_given_a_key_open_to_others_then_it_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "plant.pem"
    save_key(path, generate_key())
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key(path)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        generate_ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        generate_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")),
    ],
)
def test_given_a_file_without_a_usable_key_then_it_is_refused(tmp_path: Path, pem: bytes) -> None:
    path = tmp_path / "plant.pem"
    path.touch(0o600)
    path.write_bytes(pem)
    with pytest.raises(KeyFileError):
        load_key(path)
