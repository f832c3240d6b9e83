"""The auditor's check: whatever is done to a stored ledger, the first wrong position is named."""

import json
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.messages import word
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.verification import (
    MAX_ENTRY_BYTES,
    MESSAGES,
    BreakKind,
    Broken,
    Head,
    Row,
    SizedRoot,
    Verified,
    verify_ledger,
)

PLANT = 3
SIZE = 300


def body_of(position: int, **fields: object) -> bytes:
    content = {
        "index": position,
        "plant": PLANT,
        "type": "BatchReceived",
        "payload": {"note": "批次 α"},
    } | fields
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def row_of(index: int, body: bytes) -> Row:
    return index, body, leaf_hash(body)


def head_of(rows: Sequence[Row]) -> Head:
    frontier = Frontier().extend(leaf for _, _, leaf in rows)
    return Head(frontier.size, frontier.root(), frontier.to_bytes())


def root_of(rows: Sequence[Row], size: int) -> SizedRoot:
    return SizedRoot(size, head_of(rows[:size]).root)


ROWS = [row_of(index, body_of(index)) for index in range(SIZE)]
HEAD = head_of(ROWS)
SIGNED = [root_of(ROWS, size) for size in (0, 100, 250)]


def check(rows: Sequence[Row], head: Head = HEAD, signed: Sequence[SizedRoot] = ()) -> Verified | Broken:
    return verify_ledger(iter(rows), head, plant=PLANT, checkpoints=signed)


def changed(at: int, row: Row) -> list[Row]:
    return [*ROWS[:at], row, *ROWS[at + 1 :]]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 9, 255, 256, 257, 300])
def test_given_a_whole_ledger_then_it_is_verified_with_its_size_and_root(size: int) -> None:
    head = head_of(ROWS[:size])
    signed = [root_of(ROWS, each) for each in {0, size // 2, size}]
    assert check(ROWS[:size], head, signed) == Verified(size, head.root)
    assert check(ROWS[:size], Head(size, head.root)) == Verified(size, head.root)


def test_given_every_single_flipped_byte_of_an_entry_then_its_position_is_named() -> None:
    index, body, leaf = ROWS[123]
    for at in range(len(body)):
        flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert check(changed(123, (index, flipped, leaf))) == Broken(BreakKind.ALTERED, 123, 123, 124)
    for at in range(len(leaf)):
        flipped = leaf[:at] + bytes([leaf[at] ^ 128]) + leaf[at + 1 :]
        assert check(changed(123, (index, body, flipped))) == Broken(BreakKind.ALTERED, 123, 123, 124)


@given(st.integers(0, SIZE - 1), st.data())
def test_given_any_flipped_bit_then_its_position_is_named(index: int, data: st.DataObject) -> None:
    _, body, leaf = ROWS[index]
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    flipped = (int.from_bytes(body) ^ (1 << bit)).to_bytes(len(body))
    assert check(changed(index, (index, flipped, leaf)), HEAD, SIGNED) == Broken(
        BreakKind.ALTERED, index, index, index + 1
    )


@pytest.mark.parametrize("index", [0, 1, 127, 128, 298, 299])
def test_given_a_dropped_row_then_its_position_is_named(index: int) -> None:
    assert check([*ROWS[:index], *ROWS[index + 1 :]]) == Broken(BreakKind.MISSING, index, index, index + 1)


def test_given_many_dropped_rows_then_the_first_is_named_and_how_far_it_goes() -> None:
    assert check([*ROWS[:40], *ROWS[90:]]) == Broken(BreakKind.MISSING, 40, 40, 90)
    assert check(ROWS[:40]) == Broken(BreakKind.MISSING, 40, 40, 300)
    assert check([]) == Broken(BreakKind.MISSING, 0, 0, 300)


def test_given_a_dropped_row_and_the_rest_renumbered_then_the_place_is_named() -> None:
    moved = [(index - 1, body, leaf) for index, body, leaf in ROWS[51:]]
    assert check([*ROWS[:50], *moved]) == Broken(BreakKind.MISPLACED, 50, 50, 51, "51")


@pytest.mark.parametrize("first,second", [(0, 1), (17, 18), (5, 290), (298, 299)])
def test_given_a_swapped_pair_then_the_first_of_it_is_named(first: int, second: int) -> None:
    swapped = list(ROWS)
    swapped[first] = (first, *ROWS[second][1:])
    swapped[second] = (second, *ROWS[first][1:])
    broken = Broken(BreakKind.MISPLACED, first, first, first + 1, str(second))
    assert check(swapped) == broken
    assert check(swapped, head_of(swapped)) == broken


def test_given_the_bytes_of_a_pair_swapped_without_their_hashes_then_the_first_of_it_is_named() -> None:
    swapped = list(ROWS)
    swapped[17] = (17, ROWS[18][1], ROWS[17][2])
    swapped[18] = (18, ROWS[17][1], ROWS[18][2])
    assert check(swapped) == Broken(BreakKind.ALTERED, 17, 17, 18)


def test_given_rows_beyond_the_head_then_the_first_of_them_is_named() -> None:
    extra = row_of(SIZE, body_of(SIZE))
    assert check([*ROWS, extra]) == Broken(BreakKind.EXTRA, SIZE, SIZE, SIZE + 1)
    assert check(ROWS, head_of(ROWS[:200])) == Broken(BreakKind.EXTRA, 200, 200, 201)


def test_given_a_row_stored_twice_then_its_position_is_named() -> None:
    assert check([*ROWS[:70], ROWS[69], *ROWS[70:]]) == Broken(BreakKind.REPEATED, 69, 69, 70)


def test_given_a_head_that_counts_too_many_then_the_missing_entry_is_named() -> None:
    assert check(ROWS, Head(SIZE + 5, HEAD.root, HEAD.frontier)) == Broken(BreakKind.MISSING, 300, 300, 305)


@pytest.mark.parametrize(
    "body,found",
    [
        (b"", "no JSON without floats"),
        (b"\xff", "no JSON without floats"),
        (b"[" * 60_000, "no JSON without floats"),
        (b"[1,2]", "no JSON object"),
        (b"7", "no JSON object"),
        (body_of(9, weight=1.5), "no JSON without floats"),
        (b'{"index":9,"plant":3,"x":NaN}', "no JSON without floats"),
        (b'{"index":9,"plant":3,"x":1e3}', "no JSON without floats"),
        (b'{"index":9,"plant":3,"x":%s}' % (b"9" * 5000), "no JSON without floats"),
        (b'{"index":9,"plant":3,"x":"\\ud800"}', "no JSON without floats"),
        (b'{"index": 9,"plant":3}', "no canonical JSON"),
        (b'{"plant":3,"index":9}', "no canonical JSON"),
        (b'{"index":9,"index":9,"plant":3}', "no canonical JSON"),
        (b'{"index":9,"plant":3,"x":"\\u0041"}', "no canonical JSON"),
        (body_of(9, x="y" * MAX_ENTRY_BYTES), f"{len(body_of(9, x='')) + MAX_ENTRY_BYTES} bytes"),
    ],
)
def test_given_bytes_that_can_be_no_entry_then_their_position_and_the_reason_are_named(body: bytes, found: str) -> None:
    rows = changed(9, row_of(9, body))
    assert check(rows, head_of(rows)) == Broken(BreakKind.MALFORMED, 9, 9, 10, found)


@pytest.mark.parametrize(
    "fields,kind,found",
    [
        ({"index": "9"}, BreakKind.MISPLACED, "9"),
        ({"index": True}, BreakKind.MISPLACED, "True"),
        ({"index": None}, BreakKind.MISPLACED, "None"),
        ({"plant": 4}, BreakKind.FOREIGN, "4"),
        ({"plant": "3"}, BreakKind.FOREIGN, "3"),
        ({"plant": None}, BreakKind.FOREIGN, "None"),
    ],
)
def test_given_an_envelope_of_elsewhere_then_the_position_is_named(
    fields: dict[str, object], kind: BreakKind, found: str
) -> None:
    rows = changed(9, row_of(9, body_of(9, **fields)))
    assert check(rows, head_of(rows)) == Broken(kind, 9, 9, 10, found)


def test_given_an_index_that_only_counts_as_the_number_then_it_is_misplaced() -> None:
    rows = [ROWS[0], row_of(1, body_of(1, index=True))]
    assert verify_ledger(rows, head_of(rows), plant=PLANT) == Broken(BreakKind.MISPLACED, 1, 1, 2, "True")


def test_given_a_plant_that_only_counts_as_the_number_then_it_is_foreign() -> None:
    rows = [row_of(0, body_of(0, plant=True))]
    assert verify_ledger(rows, head_of(rows), plant=1) == Broken(BreakKind.FOREIGN, 0, 0, 1, "True")


def forged(*positions: int) -> list[Row]:
    """Entries rewritten with all skill: canonical, in place, each with its own leaf hash."""
    rows = list(ROWS)
    for at in positions:
        rows[at] = row_of(at, body_of(at, forged="yes"))
    return rows


@pytest.mark.parametrize("at,low,high", [(0, 0, 100), (99, 0, 100), (100, 100, 250), (249, 100, 250), (250, 250, 300)])
def test_given_bytes_and_leaf_hash_rewritten_then_it_is_caught_between_signed_sizes(
    at: int, low: int, high: int
) -> None:
    rewritten = Broken(BreakKind.REWRITTEN, None, low, high)
    assert check(forged(at), Head(SIZE, HEAD.root), SIGNED) == rewritten


def test_given_the_head_rewritten_too_then_the_signed_sizes_still_catch_it() -> None:
    rows = forged(120)
    assert check(rows, head_of(rows), SIGNED) == Broken(BreakKind.REWRITTEN, None, 100, 250)


def test_given_signed_sizes_one_apart_then_a_rewritten_entry_is_named_exactly() -> None:
    signed = [root_of(ROWS, 120), root_of(ROWS, 121)]
    assert check(forged(120), HEAD, signed) == Broken(BreakKind.REWRITTEN, 120, 120, 121)


@pytest.mark.parametrize("at,low,high", [(0, 0, 256), (255, 0, 256), (256, 256, 288), (290, 288, 296), (299, 296, 300)])
def test_given_no_signatures_then_the_frontier_tells_the_subtree(at: int, low: int, high: int) -> None:
    assert check(forged(at)) == Broken(BreakKind.REWRITTEN, None, low, high)


def test_given_a_signed_size_and_the_frontier_then_the_smaller_range_is_told() -> None:
    assert check(forged(253), HEAD, SIGNED) == Broken(BreakKind.REWRITTEN, None, 250, 256)
    rows, whole = [*ROWS[:256]], head_of(ROWS[:257])
    last = row_of(256, body_of(256, forged="yes"))
    assert check([*rows, last], whole) == Broken(BreakKind.REWRITTEN, 256, 256, 257)


def test_given_a_rewriting_that_no_signature_covers_then_it_passes_as_the_obligations_say() -> None:
    rows = forged(299)
    assert check(rows, head_of(rows), SIGNED) == Verified(SIZE, head_of(rows).root)


def test_given_a_changed_head_over_whole_entries_then_the_head_is_named() -> None:
    other = head_of(ROWS[:-1])
    frontier = HEAD.frontier or b""
    root = Broken(BreakKind.HEAD_ALTERED, None, SIZE, SIZE, "root")
    assert check(ROWS, Head(SIZE, other.root, frontier)) == root
    assert check(ROWS, Head(SIZE, other.root), [*SIGNED, root_of(ROWS, SIZE)]) == root
    for wrong in (b"", frontier[:-1], frontier + b"\0", b"\0" + frontier[1:], frontier[:-32]):
        assert check(ROWS, Head(SIZE, HEAD.root, wrong)) == Broken(BreakKind.HEAD_ALTERED, None, SIZE, SIZE, "frontier")
    forgery = head_of(forged(3))
    assert check(ROWS, forgery, [root_of(ROWS, SIZE)]) == root
    assert check(ROWS, forgery, [root_of(ROWS, 256)]) == root


def test_given_a_tail_cut_off_with_its_head_then_the_signed_size_tells_how_much_is_gone() -> None:
    head = head_of(ROWS[:200])
    assert check(ROWS[:200], head) == Verified(200, head.root)
    assert check(ROWS[:200], head, SIGNED) == Broken(BreakKind.TRUNCATED, 200, 200, 250)


def test_given_two_signed_roots_of_one_size_then_the_signer_is_named_not_the_entries() -> None:
    signed = [*SIGNED, SizedRoot(100, HEAD.root)]
    assert check(ROWS, HEAD, signed) == Broken(BreakKind.CONTRADICTION, None, 0, 100)
    assert check(ROWS, HEAD, [*SIGNED, *SIGNED]) == Verified(SIZE, HEAD.root)


def test_given_2_000_random_harms_then_none_passes_and_the_first_is_within_what_is_named() -> None:
    rng = random.Random(9162)
    for _ in range(2_000):
        size = rng.randrange(2, 120)
        rows, at = ROWS[:size], rng.randrange(size)
        head, signed = head_of(rows), [root_of(ROWS, rng.randrange(1, size + 1)) for _ in range(3)]
        other = rng.choice([each for each in range(size) if each != at])
        first = at
        match rng.randrange(5):
            case 0:
                harmed = [*rows[:at], (at, rows[at][1][:-1], rows[at][2]), *rows[at + 1 :]]
            case 1:
                harmed = [*rows[:at], *rows[at + 1 :]]
            case 2:
                harmed, first = list(rows), min(at, other)
                harmed[at], harmed[other] = (at, *rows[other][1:]), (other, *rows[at][1:])
            case 3:
                harmed, first = [*rows, row_of(size, body_of(size))], size
            case _:
                harmed = [*rows[:at], row_of(at, body_of(at, forged="yes")), *rows[at + 1 :]]
        result = verify_ledger(harmed, head, plant=PLANT, checkpoints=signed)
        assert isinstance(result, Broken)
        assert result.index in (None, first)
        assert (result.kind is BreakKind.EXTRA) or result.low <= first < result.high


@pytest.mark.parametrize("kind", list(BreakKind))
def test_given_any_finding_then_it_is_a_sentence_in_both_languages(kind: BreakKind) -> None:
    broken = Broken(kind, 7, 7, 8, "root")
    english, chinese = word(broken, "en"), word(broken, "zh")
    assert english.endswith(".")
    assert chinese.endswith("。")
    assert "{" not in english + chinese
    assert set(MESSAGES) == set(BreakKind)


@pytest.mark.parametrize(
    "found,english,chinese",
    [
        (
            Broken(BreakKind.MISPLACED, 17, 17, 18, "18"),
            "At position 17 stands the entry that says it is number 18. Rows were swapped or moved.",
            "位置 17 上的记录自称是第 18 条，记录被调换或移动。",
        ),
        (
            Broken(BreakKind.TRUNCATED, 200, 200, 250),
            "The ledger was cut off: 250 entries were signed for, 200 are left.",
            "账本被截断：已签名确认 250 条，现仅有 200 条。",
        ),
        (
            Verified(0, bytes(32)),
            f"The ledger is whole: 0 entries, root {'00' * 32}.",
            f"账本完好：共 0 个条目，根 {'00' * 32}。",
        ),
    ],
)
def test_given_a_finding_then_its_words_are_exact(found: Verified | Broken, english: str, chinese: str) -> None:
    assert (word(found, "en"), word(found, "zh")) == (english, chinese)


def test_given_a_ledger_read_from_a_cursor_then_no_row_after_the_first_wrong_one_is_read() -> None:
    read: list[int] = []

    def cursor(rows: Sequence[Row]) -> Iterator[Row]:
        for row in rows:
            read.append(row[0])
            yield row

    result = verify_ledger(cursor(changed(5, (5, b"{}", bytes(32)))), HEAD, plant=PLANT)
    assert result == Broken(BreakKind.ALTERED, 5, 5, 6)
    assert read == [0, 1, 2, 3, 4, 5]
