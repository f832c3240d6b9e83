"""Events: each is declared once, has one projector, and is known whichever module is imported first."""

import subprocess
import sys
from types import ModuleType
from typing import Any, TypedDict

import pytest

import plants.rules
import plants.store
from infra.discovery import modules
from infra.roles import Keeping
from plants.rules.ledger.events import Event, LedgerKind, Subject, new_envelope
from plants.rules.ledger.payloads import Outcome
from plants.rules.values.instants import parse_instant
from plants.store.projection.rebuilding import projection_tables
from plants.store.projection.registry import (
    EVENTS,
    PROJECTORS,
    SUPPORTED,
    RegistryInvalid,
    declared_events,
    registered,
)
from plants.store.sql.rows import no_rows


class GoodsWeighed(TypedDict):
    grams: str


PLANTED = Event("GoodsWeighed", GoodsWeighed, "Goods were weighed.", Subject.BATCH)
SHARED = Event("GoodsCounted", Outcome, "Goods were counted.", Subject.BATCH)
FIRST_IMPORTS = (
    "plants.store.projection.applying",
    "plants.commands.quality.holds",
    "sync_jobs.projection.parking",
    "schema.engine.context",
)


def in_module(*events: Event[Any]) -> ModuleType:
    module = ModuleType("planted")
    vars(module).update({f"EVENT_{number}": event for number, event in enumerate(events)})
    return module


def test_every_event_then_it_is_declared_in_a_module_of_that_name_and_projected_in_one_version() -> None:
    anywhere = {
        value for module in modules(plants.rules) for value in vars(module).values() if isinstance(value, Event)
    }
    assert anywhere == set(EVENTS.values())
    assert set(PROJECTORS) == set(SUPPORTED.items()) == {(event.name, event.version) for event in EVENTS.values()}


@pytest.mark.parametrize("first", FIRST_IMPORTS)
def test_module_imported_first_in_a_new_process_then_every_event_is_understood(first: str) -> None:
    code = (
        f"import {first}\n"
        "from plants.store.projection.applying import understands\n"
        "from plants.store.projection.rebuilding import projection_tables\n"
        f"print(all(understands(*kind) for kind in {sorted(SUPPORTED.items())!r}), len(projection_tables()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", str(len(projection_tables()))]


def test_every_module_of_the_store_imported_then_no_further_table_is_of_the_projection() -> None:
    known = projection_tables()
    list(modules(plants.store))
    assert projection_tables() == known
    assert all(table.info["keeping"] is Keeping.PROJECTION for table in known)


def test_planted_event_without_a_projector_then_the_registry_is_invalid() -> None:
    with pytest.raises(RegistryInvalid, match="GoodsWeighed has no projector"):
        registered([PLANTED], [])
    assert set(registered([PLANTED], [{PLANTED: no_rows}])) == {("GoodsWeighed", 1)}
    assert set(registered([SHARED], [])) == {("GoodsCounted", 1)}


def test_planted_event_with_two_projectors_or_no_declaration_then_the_registry_is_invalid() -> None:
    with pytest.raises(RegistryInvalid, match="several projectors"):
        registered([PLANTED], [{PLANTED: no_rows}, {PLANTED: no_rows}])
    with pytest.raises(RegistryInvalid, match="no declaration"):
        registered([], [{PLANTED: no_rows}])


def test_event_declared_twice_then_the_registry_is_invalid() -> None:
    assert declared_events([in_module(PLANTED), in_module(PLANTED)]) == {"GoodsWeighed": PLANTED}
    again = Event("GoodsWeighed", GoodsWeighed, "Goods were weighed.", Subject.BATCH)
    with pytest.raises(RegistryInvalid, match="GoodsWeighed is declared twice"):
        declared_events([in_module(PLANTED), in_module(again)])


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_event_in_a_ledger_of_another_kind_then_no_envelope(name: str) -> None:
    event, at = EVENTS[name], parse_instant("2026-03-14T08:00:00.000000Z")
    for kind, log_id in ((LedgerKind.PLANT, 3), (LedgerKind.DIRECTIVES, -3), (LedgerKind.HUB, 0)):
        values: dict[str, Any] = {"entry_id": "I", "log_id": log_id, "at": at, "actor": "A", "key": "K"}
        if kind in event.ledgers:
            envelope = new_envelope(event, {}, **values)
            assert (envelope["type"], envelope["version"], envelope["plant"]) == (name, event.version, log_id)
        else:
            with pytest.raises(ValueError, match=f"{name} does not belong in ledger {log_id}"):
                new_envelope(event, {}, **values)
