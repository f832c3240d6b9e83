"""Older versions of events are brought to the newest by pure steps, two versions back, and the bytes stay."""

from typing import Any

import pytest

from plants.rules.ledger.events import Entry, Event, Subject, canonical, decode
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.ledger.upcasting import reached, upcast
from plants.store.projection import registry
from plants.store.projection.applying import UnknownEvent, project, understands
from plants.store.sql.rows import RowWrites


def in_grams(payload: dict[str, Any]) -> dict[str, Any]:
    return {"amount": str(int(payload["kilos"]) * 1000), "unit": "GRM"}


def with_places(payload: dict[str, Any]) -> dict[str, Any]:
    return {"moved": [payload["amount"], payload["unit"]], "places": []}


STEPS = {("GoodsWeighed", 1): in_grams, ("GoodsWeighed", 2): with_places}


def weighed(version: int, payload: dict[str, Any]) -> Entry:
    envelope: Any = {"type": "GoodsWeighed", "version": version, "index": 4, "key": "K", "payload": payload}
    body = canonical(envelope)
    return Entry(decode(body), body, leaf_hash(body))


def test_two_versions_back_then_step_by_step_and_bytes_as_they_were() -> None:
    oldest = weighed(1, {"kilos": "3"})
    found = upcast(oldest, STEPS)
    assert (found.envelope["version"], found.payload) == (3, {"moved": ["3000", "GRM"], "places": []})
    assert (found.body, found.leaf) == (oldest.body, oldest.leaf)
    assert oldest.payload == {"kilos": "3"}
    assert upcast(weighed(2, {"amount": "7", "unit": "GRM"}), STEPS).payload == {"moved": ["7", "GRM"], "places": []}
    newest = weighed(3, {"moved": [], "places": []})
    assert upcast(newest, STEPS) is newest


def test_step_from_an_understood_version_missing_then_no_event_is_declared() -> None:
    steps = {version: step for (_, version), step in STEPS.items()}
    assert (
        Event("GoodsWeighed", dict[str, Any], "Goods were weighed.", Subject.BATCH, version=3, steps=steps).version == 3
    )
    assert (
        Event(
            "GoodsWeighed",
            dict[str, Any],
            "Goods were weighed.",
            Subject.BATCH,
            version=9,
            steps={7: in_grams, 8: with_places},
        ).version
        == 9
    )
    for version, known, missing in ((3, {}, 1), (3, {1: in_grams}, 2), (5, steps, 3), (9, {8: with_places}, 7)):
        with pytest.raises(ValueError, match=f"GoodsWeighed has no step from version {missing}"):
            Event("GoodsWeighed", dict[str, Any], "Goods were weighed.", Subject.BATCH, version=version, steps=known)
    assert reached(("GoodsWeighed", 1), STEPS) == ("GoodsWeighed", 3)


def test_older_version_then_the_projector_of_the_newest_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    for kind, step in STEPS.items():
        monkeypatch.setitem(registry.STEPS, kind, step)
    monkeypatch.setitem(
        registry.PROJECTORS, ("GoodsWeighed", 3), lambda _writes, _log, entry: seen.append(entry.payload)
    )
    assert understands("GoodsWeighed", 1)
    project(RowWrites(), 1, weighed(1, {"kilos": "2"}))
    assert seen == [{"moved": ["2000", "GRM"], "places": []}]
    assert not understands("GoodsWeighed", 4)
    with pytest.raises(UnknownEvent):
        project(RowWrites(), 1, weighed(4, {}))
