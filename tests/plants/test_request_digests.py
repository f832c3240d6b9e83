"""Requests are recognised by what they ask: after renamed classes and functions, and in the form of older programs."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest

from plants import commands
from plants.commands.directives.directives import GroupCommand
from plants.commands.execution import Command, PlantLedgerWriter, command
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.inventory.events import BATCH_MOVED
from plants.rules.ledger.events import Entry
from plants.rules.ledger.first_request_forms import FIRST_FIELDS, NoFirstForm, first_form
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.refusals import REQUEST_REUSED
from plants.rules.ledger.request_forms import declaration_of, stable_name
from plants.rules.quality.holds import HoldKind
from tests.factories import MANAGER, Plant
from tests.plants.recorded_requests import AT, DAY, DEFAULTS, FORMS, RECORDED, Recorded, writing_in
from tests.plants.renamed_orders import Ground, Intake, Stop, later, stop_batch, take_in

REQUEST = "0195a1b2-0000-7000-8000-000000000001"
OTHER = "0195a1b2-0000-7000-8000-000000000002"
DELIVERY = Delivery("RM-MILK", "100", "KGM", "A1", produced_at=AT - timedelta(days=1), attributes={"fat": "3.8"})


def every_command() -> dict[str, Command[Any] | GroupCommand[Any]]:
    """Return all commands that there are, by stable name."""
    found: dict[str, Command[Any] | GroupCommand[Any]] = {}
    for module in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, Command | GroupCommand):
                assert found.setdefault(one.name, one) is one, f"two commands are called {one.name}"
    return found


def every_order() -> set[type]:
    """Return all classes with a stable name in the modules of commands."""
    found = set()
    for module in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and is_dataclass(kind):
                with suppress(TypeError):
                    declaration_of(kind)
                    found.add(kind)
    return found


def inside(value: Any) -> Iterator[Any]:
    """Yield the dataclasses in an order, itself included."""
    if is_dataclass(value):
        yield value
        for one in fields(value):
            yield from inside(getattr(value, one.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from inside(one)


@pytest.mark.parametrize("one", RECORDED, ids=lambda one: one.command.name)
def test_recorded_request_then_both_of_its_digests_are_accepted(one: Recorded) -> None:
    digests = one.command.digests
    assert digests.digest(one.order) == one.digest
    assert re.fullmatch("2:[0-9a-f]{32}", one.digest)
    assert digests.accepts(one.first, one.order)
    assert digests.accepts(one.digest, one.order)
    assert not any(digests.accepts(no, one.order) for no in (None, "", "2:", one.digest[2:], f"2:{one.first}"))


def test_recorded_requests_then_no_digest_is_accepted_for_another() -> None:
    for one, other in permutations(RECORDED, 2):
        digests = one.command.digests
        assert not digests.accepts(other.first, one.order)
        assert not digests.accepts(other.digest, one.order)


def test_recorded_requests_then_every_first_form_is_among_them() -> None:
    used = {declaration_of(type(part)).name for one in RECORDED for part in inside(one.order)}
    assert used == set(FIRST_FIELDS)
    assert {one.command.name for one in RECORDED} <= set(every_command())


def test_declared_orders_then_no_stable_name_is_used_twice() -> None:
    names = [declaration_of(kind).name for kind in every_order()]
    assert len(names) == len(set(names))
    assert set(names) >= set(FIRST_FIELDS)


def test_declared_orders_then_no_default_has_changed_since_it_was_recorded() -> None:
    declared = {one.name: one for one in map(declaration_of, every_order())}
    for name, defaults in DEFAULTS.items():
        present = {one.name: one.default for one in declared[name].members}
        assert {field: present[field] for field in defaults} == defaults, name


def test_renamed_classes_fields_and_enums_then_recorded_digests_are_still_accepted() -> None:
    checked = 0
    for one in RECORDED:
        if isinstance(one.order, Delivery):
            digests, order = take_in.digests, later(one.order)
            assert digests.digest(order) == one.digest
            assert digests.accepts(one.first, order)
            for other in (replace(order, carrier="C"), replace(order, seals=("7",)), replace(order, lot="L-9")):
                assert not digests.accepts(one.first, other)
                assert not digests.accepts(one.digest, other)
            checked += 1
        if isinstance(one.order, Quarantine):
            stop = Stop(one.order.batch, one.order.reason, Ground(one.order.kind.value))
            assert stop_batch.digests.digest(stop) == one.digest
            assert stop_batch.digests.accepts(one.first, stop)
            checked += 1
    assert checked == 6


@pytest.mark.parametrize("form", FORMS)
def test_repeated_after_the_rename_then_first_entry_and_nothing_done_again(plant: Plant, form: str) -> None:
    with writing_in(form):
        first = plant.do(receive_batch, DELIVERY, request=REQUEST)
        held = plant.do(quarantine_batch, Quarantine(first.envelope["key"], "Damp", HoldKind.RECALL), request=OTHER)
    assert first.envelope["digest"].startswith("2:") == (form == "canonical")
    before = plant.everything()
    assert plant.do(receive_batch, DELIVERY, request=REQUEST).body == first.body
    assert plant.do(take_in, later(DELIVERY), request=REQUEST).body == first.body
    stop = Stop(first.envelope["key"], "Damp", Ground.OF_RECALL)
    assert plant.do(stop_batch, stop, request=OTHER).body == held.body
    assert plant.everything() == before


@pytest.mark.parametrize("form", FORMS)
def test_other_content_then_refused_and_nothing_changed(plant: Plant, form: str) -> None:
    with writing_in(form):
        first = plant.do(receive_batch, DELIVERY, request=REQUEST)
    others = [
        replace(DELIVERY, amount="100.0"),
        replace(DELIVERY, produced_at=None),
        replace(DELIVERY, expires_on=DAY),
        replace(DELIVERY, attributes={"fat": "3.9"}),
        replace(DELIVERY, aliases=(AliasOrder("LOT", "L"),)),
        replace(DELIVERY, quarantine="Sample first"),
    ]
    for other in others:
        assert plant.refuses(receive_batch, other, REQUEST_REUSED, request=REQUEST) == {"request": REQUEST}
        plant.refuses(take_in, later(other), REQUEST_REUSED, request=REQUEST)
    plant.refuses(take_in, replace(later(DELIVERY), carrier="C"), REQUEST_REUSED, request=REQUEST)
    plant.refuses(receive_batch, DELIVERY, REQUEST_REUSED, request=REQUEST, actor=MANAGER)
    plant.refuses(quarantine_batch, Quarantine(first.envelope["key"], "Damp"), REQUEST_REUSED, request=REQUEST)


def test_attributes_in_another_order_then_the_same_request(here: Plant) -> None:
    order = replace(DELIVERY, attributes={"fat": "3.8", "origin": "Hebei"})
    first = here.do(receive_batch, order, request=REQUEST)
    again = replace(order, attributes={"origin": "Hebei", "fat": "3.8"})
    assert here.do(receive_batch, again, request=REQUEST).body == first.body


@dataclass(frozen=True)
class Undeclared:
    batch: str


def test_order_without_a_stable_name_then_no_command_can_be_made_of_it() -> None:
    def weigh(writer: PlantLedgerWriter, order: Undeclared) -> Entry:
        return writer.record(BATCH_MOVED, order.batch, Outcome())

    def weigh_all(writer: PlantLedgerWriter, order: tuple[Undeclared | None, ...]) -> Entry:
        return writer.record(BATCH_MOVED, str(len(order)), Outcome())

    with pytest.raises(TypeError, match="declare a stable name"):
        command("weigh_batch")(weigh)
    with pytest.raises(TypeError, match="declare a stable name"):
        command("weigh_batches")(weigh_all)


@stable_name("Weighing")
@dataclass(frozen=True)
class Weighing:
    batch: str


def test_order_that_came_later_then_it_has_no_first_form() -> None:
    @command("weigh_batch")
    def weigh(writer: PlantLedgerWriter, order: Weighing) -> Entry:
        return writer.record(BATCH_MOVED, order.batch, Outcome())

    order = Weighing("SH1-260314-0001P")
    assert not weigh.digests.accepts(sha256(f"weigh_batch {order!r}".encode()).hexdigest()[:32], order)
    for value in (order, 1.5, Intake("M", "1", "KGM", "A1", carrier="C"), (Undeclared("X"),)):
        with pytest.raises(NoFirstForm):
            first_form(value)
