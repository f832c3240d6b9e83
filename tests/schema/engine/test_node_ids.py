"""Ids of nodes are opaque, and are read back exactly as they were written."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.engine.node_ids import NODE_ID_MAX, node_id, read_kind, read_parts

NUMBERS = st.integers(1 - NODE_ID_MAX, NODE_ID_MAX - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(
    st.sampled_from(["batch", "process-line"]),
    st.lists(NUMBERS | st.text(st.characters(exclude_characters="\0"), max_size=40), max_size=4),
)
def test_id_then_its_kind_and_parts_are_read_back(kind: str, parts: list[int | str]) -> None:
    written = node_id(kind, *parts)
    assert read_kind(written) == kind
    types = [type(one) for one in parts]
    assert read_parts(kind, types, written) == tuple(parts)
    assert read_parts("other", types, written) is None
    assert read_parts(kind, [*types, int], written) is None
    assert set(written).isdisjoint("/=+")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "", "batch", "batch/1", "批次",
        encoded("batch"), encoded("batch/1/2"), encoded("batch/-0"), encoded("batch/01"), encoded("batch/1 "),
        encoded("batch/+1"), encoded("batch/1_0"), encoded("batch/١"), encoded("batch/" + "9" * 400),
        encoded(f"batch/{NODE_ID_MAX}"), node_id("batch", "one"),
        node_id("batch", 1) + "=", node_id("batch", 1) + "\n", " " + node_id("batch", 1),
    ],
)  # fmt: skip
def test_text_that_is_no_id_of_a_batch_then_nothing(text: str) -> None:
    assert read_parts("batch", [int], text) is None
    assert read_parts("batch", [int], node_id("batch", 1)) == (1,)


@pytest.mark.parametrize("text", [encoded("material/a b"), encoded("material/%61"), encoded("material/%zz")])
def test_text_that_is_encoded_otherwise_then_nothing(text: str) -> None:
    assert read_parts("material", [str], text) is None


def test_text_with_a_nul_then_nothing_for_no_store_can_look_for_it() -> None:
    assert read_parts("material", [int, str], encoded("material/1/%00")) is None
