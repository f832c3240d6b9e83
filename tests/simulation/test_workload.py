"""The workload sends every mutation of the contract, and the reference model judges what it sends."""

from collections import Counter
from functools import cache

import pytest

from infra.roles import Role
from schema.engine.operations import Operation, OperationKind, operations
from simulation.campaign import run_quietly
from simulation.model_check.inputs import INPUTS
from tests.simulation.swarms import faultless

SEEDS = 20
UNSENT = {
    "skipParkedEntry": "the hub would lack for good what the invariants compare",
    "settleConflictingEntry": "conflicts come of restored plants only",
    "retryParkedEntry": "entries are parked in runs with faults only",
}
"""Mutations that runs without faults do not send, with the reason."""
MUTATIONS = [one for one in operations() if one.kind is OperationKind.MUTATION]


@cache
def sent() -> Counter[str]:
    """Return how often runs without faults sent each command with each class of order."""
    found: Counter[str] = Counter()
    for seed in range(1, SEEDS + 1):
        outcome = run_quietly(seed, faultless(220))
        assert not outcome.invariant, outcome.text
        found += outcome.marks
    return found


def wanted(one: Operation) -> set[str]:
    """Return the marks of which each must be there for a mutation; one that ends with a space may have any order."""
    if not one.access.commands:
        return {f"sent {one.name}"}
    if one.bulk:
        assert one.order is not None
        return {f"sent save_rows {one.order.__name__}"}
    order = "" if one.order is None else one.order.__name__
    return {f"sent {command.name} {order}" for command in one.access.commands}


@pytest.mark.parametrize(
    "one",
    [one for one in MUTATIONS if one.name not in UNSENT],
    ids=lambda one: f"{one.name}-{'-'.join(sorted(one.roles))}",
)
def test_mutation_of_the_contract_then_the_workload_sends_it(one: Operation) -> None:
    missing = [mark for mark in wanted(one) if not any(name.startswith(mark) for name in sent())]
    assert missing == []


def test_unsent_mutations_then_the_contract_has_them() -> None:
    assert UNSENT.keys() <= {one.name for one in MUTATIONS}


def test_validate_only_then_the_workload_sends_it() -> None:
    assert sent()["sent validateOnly"] > SEEDS


def test_what_the_workload_sends_then_the_model_judges_it() -> None:
    judged = {f"sent {command} {order.__name__}" for command, order in INPUTS if command != "direct_master"}
    judged |= {f"sent direct_master {name}" for name in ("MaterialChange", "UnitChange", "MasterChange")}
    others = {f"sent save_rows {name}" for name in ("MaterialChange", "UnitChange", "MasterChange")}
    found = {name for name in sent() if name.startswith("sent ")}
    assert found - judged - others == {"sent submit", "sent validateOnly"}


def test_roles_of_mutations_then_both_are_covered() -> None:
    assert {role for one in MUTATIONS for role in one.roles} == set(Role)
