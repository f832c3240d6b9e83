"""Trees of traces, to the letter, as the terminal shows them."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from rich.console import Console

from api.trace import tree as trace_tree
from api.trace.tree import BatchShown, EdgeShown, ProcessShown, Side, TraceShown, draw
from infra.messages import Language

MICRO = 1_000_000


def at(day: int) -> datetime:
    return datetime(2026, 11, day, 8, 30, tzinfo=UTC)


def into(source: str, target: str, amount: int, day: int, use: str = "CONSUMED", unit: str = "KGM") -> EdgeShown:  # noqa: PLR0917 -- an edge reads best as one row.
    return EdgeShown(source, target, amount * MICRO, unit, use, at(day))


MILK = BatchShown("milk", "QD1-261101-0001A", "Milk", "QD1", 500 * MICRO, "KGM", (("QD1", 80 * MICRO),))
SUGAR = BatchShown("sugar", "QD1-261101-0002B", "Sugar", "QD1", 100 * MICRO, "KGM")
PASTE = BatchShown("paste", "QD1-261103-0001C", "Paste", "QD1", 400 * MICRO, "KGM")
SKIN = BatchShown("skin", "QD1-261103-0002D", "Skin", "QD1", 20 * MICRO, "KGM")
BOX = BatchShown("box", "SH1-261107-0001E", "Box of cups", "SH1", 90 * MICRO, "H87", (("SH1", 30 * MICRO),))

CHAIN = TraceShown(
    seeds=("box",),
    batches={one.key: one for one in (MILK, SUGAR, PASTE, SKIN, BOX)},
    processes={
        "cook": ProcessShown("cook", "PRODUCTION", "QD1", "cooking", at(3)),
        "road": ProcessShown("road", "TRANSFER", "QD1", "", at(4), "QD1", "SH1"),
        "fill": ProcessShown("fill", "PRODUCTION", "SH1", "filling", at(7)),
        "sale": ProcessShown("sale", "SHIPMENT", "SH1", "CORNERSHOP", at(8)),
    },
    edges=(
        into("milk", "cook", 300, 3),
        into("milk", "cook", 120, 4),
        into("sugar", "cook", 60, 3),
        into("cook", "sugar", 10, 3, "RETURNED"),
        into("cook", "paste", 400, 3, "PRODUCED"),
        into("cook", "skin", 20, 3, "BY_PRODUCT"),
        into("paste", "road", 400, 4, "TRANSFERRED"),
        into("road", "paste", 398, 6, "TRANSFERRED"),
        into("paste", "fill", 350, 7),
        into("fill", "box", 90, 7, "PRODUCED", "H87"),
        into("box", "sale", 60, 8, "SHIPPED", "H87"),
    ),
)


def text(trace: TraceShown, side: Side, language: Language = "en", width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for tree in draw(trace, side, language):
        console.print(tree)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def seeded(*seeds: str, edges: Sequence[EdgeShown] = CHAIN.edges) -> TraceShown:
    return TraceShown(seeds, CHAIN.batches, CHAIN.processes, edges)


def test_backward_then_inputs_stand_under_what_was_made_of_them() -> None:
    assert (
        text(CHAIN, "BACKWARD")
        == """\
SH1-261107-0001E  Box of cups  made 90 pcs at SH1
└── production filling at SH1  2026-11-07 08:30  → 90 pcs
    └── 350 kg  QD1-261103-0001C  Paste
        ├── ⇢ moved QD1 → SH1  400 kg → 398 kg  2026-11-04 08:30 – 11-06 08:30
        └── production cooking at QD1  2026-11-03 08:30  → 400 kg
            ├── ↩ returned unused: 10 kg QD1-261101-0002B
            ├── 420 kg  QD1-261101-0001A  Milk
            └── 60 kg  QD1-261101-0002B  Sugar"""
    )


def test_forward_then_outputs_shipments_and_what_is_left_stand_below() -> None:
    assert (
        text(seeded("milk"), "FORWARD")
        == """\
QD1-261101-0001A  Milk  made 500 kg at QD1
├── ▪ on hand 80 kg at QD1
└── production cooking at QD1  2026-11-03 08:30  ← 420 kg
    ├── ↩ returned unused: 10 kg QD1-261101-0002B
    ├── 400 kg  QD1-261103-0001C  Paste
    │   ├── ⇢ moved QD1 → SH1  400 kg → 398 kg  2026-11-04 08:30 – 11-06 08:30
    │   └── production filling at SH1  2026-11-07 08:30  ← 350 kg
    │       └── 90 pcs  SH1-261107-0001E  Box of cups
    │           ├── ▪ on hand 30 pcs at SH1
    │           └── ■ shipped to CORNERSHOP  60 pcs  from SH1  2026-11-08 08:30
    └── 20 kg (by-product)  QD1-261103-0002D  Skin"""
    )


def test_circle_then_it_is_drawn_once() -> None:
    rework = (into("paste", "cook", 5, 9), *CHAIN.edges)
    drawn = text(seeded("box", edges=rework), "BACKWARD")
    assert drawn.count("cooking") == 1
    assert "└── 60 kg  QD1-261101-0002B  Sugar" in drawn
    assert "├── 5 kg  QD1-261103-0001C  Paste  ↑ seen above" in drawn


def test_shared_ingredient_then_its_past_is_drawn_once() -> None:
    shared = (into("milk", "fill", 7, 7), *CHAIN.edges)
    drawn = text(seeded("box", edges=shared), "BACKWARD").splitlines()
    assert [line.strip("│├└─ ") for line in drawn if "Milk" in line] == [
        "7 kg  QD1-261101-0001A  Milk",
        "420 kg  QD1-261101-0001A  Milk  ↑ seen above",
    ]


def test_half_of_a_transfer_then_it_says_which_half() -> None:
    left = text(seeded("paste", edges=[edge for edge in CHAIN.edges if edge.source != "road"]), "BACKWARD")
    assert "⇢ in transit QD1 → SH1  400 kg  2026-11-04 08:30" in left
    came = text(seeded("paste", edges=[edge for edge in CHAIN.edges if edge.target != "road"]), "BACKWARD")
    assert "⇢ received, dispatch not reported QD1 → SH1  398 kg  2026-11-06 08:30" in came


def test_batch_that_nobody_stated_then_it_says_so() -> None:
    unknown = TraceShown(("x",), {"x": BatchShown("x", "2199023255553")}, {}, ())
    assert text(unknown, "BACKWARD") == "2199023255553  (not reported yet)"


def test_chinese_then_the_tree_is_in_chinese() -> None:
    assert text(CHAIN, "BACKWARD", "zh").splitlines()[:5] == [
        "SH1-261107-0001E  Box of cups  SH1 产出 90 件",
        "└── 生产 filling 于 SH1  2026-11-07 08:30  → 90 件",
        "    └── 350 kg  QD1-261103-0001C  Paste",
        "        ├── ⇢ 调拨 QD1 → SH1  400 kg → 398 kg  2026-11-04 08:30 – 11-06 08:30",
        "        └── 生产 cooking 于 QD1  2026-11-03 08:30  → 400 kg",
    ]


def test_narrow_terminal_then_every_word_is_still_there() -> None:
    wide, narrow = text(CHAIN, "BACKWARD"), text(CHAIN, "BACKWARD", width=60)
    assert max(map(len, narrow.splitlines())) <= 60
    shown = set(narrow.replace("│", " ").split())
    assert set(wide.replace("│", " ").split()) <= shown | {"├──", "└──"}


@pytest.mark.parametrize("length", [100, 5_000])
def test_long_chain_then_it_is_cut_with_a_word_and_never_fails(length: int) -> None:
    batches = {f"b{n}": BatchShown(f"b{n}", f"B{n}", "m", "P", MICRO, "KGM") for n in range(length)}
    processes = {f"p{n}": ProcessShown(f"p{n}", "PRODUCTION", "P", "", at(1)) for n in range(length)}
    edges = [into(f"b{n + 1}", f"p{n}", 1, 1) for n in range(length - 1)]
    edges += [into(f"p{n}", f"b{n}", 1, 1, "PRODUCED") for n in range(length - 1)]
    drawn = text(TraceShown(("b0",), batches, processes, edges), "BACKWARD", width=400).splitlines()
    assert len(drawn) == trace_tree.LEVELS_DRAWN_MAX + 2
    assert drawn[-1].endswith("… deeper levels are not drawn; --json has all of them")


def test_wide_trace_then_it_is_cut_with_a_word() -> None:
    count = trace_tree.NODES_DRAWN_MAX + 5
    batches = {"b": BatchShown("b", "B", "m", "P", MICRO, "KGM")}
    edges = [into("b", f"p{n}", 1, 1) for n in range(count)]
    processes = {f"p{n}": ProcessShown(f"p{n}", "PRODUCTION", "P", "", at(1)) for n in range(count)}
    drawn = text(TraceShown(("b",), batches, processes, edges), "FORWARD").splitlines()
    assert drawn[-1] == f"└── … {count} more are not drawn; --json has all of them"
