"""Enrolment of the plants of a benchmark at its hub, as the product does it: keys, entries and both ledgers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.actors import Role, system_actor
from auth.keys import SigningKey, public_key_text
from auth.notes import NoteSigner
from infra.database import Session
from infra.settings import directive_origin, hub_origin, plant_origin
from plants.commands.group.enrolment import Enrolment, open_hub
from sync_jobs.hub.enrolment import enrol

GROUP = "bench.example"


@dataclass(frozen=True, slots=True)
class PlantKeys:
    """The two private keys of a plant."""

    ledger: Ed25519PrivateKey
    assertion: Ed25519PrivateKey


def draw_keys() -> PlantKeys:
    """Return two new keys."""
    return PlantKeys(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())


def enrol_plants(session: Session, plants: Mapping[int, tuple[str, PlantKeys]], *, now: datetime) -> None:
    """Open the hub's ledger and enrol plants, given by number with their codes and keys."""
    open_hub(session, group=GROUP, origin=hub_origin(GROUP), now=now)
    for number, (code, keys) in plants.items():
        origin = plant_origin(GROUP, code)
        order = Enrolment(
            number=number,
            code=code,
            name=code,
            origin=origin,
            directive_origin=directive_origin(GROUP, code),
            ledger_key=str(NoteSigner(origin, keys.ledger).key),
            assertion_key=public_key_text(SigningKey(keys.assertion).public_key),
        )
        enrol(session, order, actor=system_actor("bench", Role.ADMINISTRATOR), now=now)
