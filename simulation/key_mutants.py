"""Planted bugs in what becomes of keys: rotating them, revoking them, and what a restored node still knows of that."""

from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

from auth import machines, store
from plants.commands.group import enrolment
from simulation.mutations import all_of, nothing, patched, patched_everywhere
from sync_jobs.keys import hub_keys, plant_keys
from sync_jobs.keys.chains import chain, recorded_hub_statements
from sync_jobs.plant import ledger_key_rotation


def revoked_key_served() -> AbstractContextManager[None]:
    """Whose key is shown is looked up, and not whether it still counts."""
    one = store.Machine
    return all_of(
        patched(store, "MACHINE_BY_KID", store.machine_columns(one.assertion_key).where(store.WITH_KID)),
        patched(
            store,
            "MACHINE_BY_KID_BEFORE",
            store.machine_columns(one.assertion_key_before).where(store.WITH_KID_BEFORE),
        ),
    )


def old_key_never_ends() -> AbstractContextManager[None]:
    """A plant that signs in with its new key can go on with the old one for ever."""
    return patched_everywhere(machines.confirm_assertion_key, nothing)


def rotation_not_recorded() -> AbstractContextManager[None]:
    """The hub takes a plant's new ledger key on without a word in its own ledger."""
    return patched_everywhere(enrolment.record_ledger_key, nothing)


def revocation_not_taken_back() -> AbstractContextManager[None]:
    """A hub back from its archive enrols whoever was ever enrolled."""
    applied = MappingProxyType(dict(plant_keys.APPLIED) | {"PlantRevoked": nothing})
    return patched(plant_keys, "APPLIED", applied)


def rotation_not_stated_again() -> AbstractContextManager[None]:
    """A plant whose store is older than its keys leaves it at what its ledger says of them."""
    return patched_everywhere(ledger_key_rotation.restate_lost_rotations, nothing)


def hub_statement_forgotten() -> AbstractContextManager[None]:
    """A restored hub says of its keys what its store knows, and not what lies beside them."""

    def stated(reads: Any, hub: Any) -> list[bytes]:
        return [one.statement for one in chain(hub.signer.key, recorded_hub_statements(reads)).rotations]

    return patched_everywhere(hub_keys.statements_of_hub, stated)
