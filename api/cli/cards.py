"""Public cards: the JSON with the identity and the public keys of a node."""

import json
from pathlib import Path
from typing import Any

from api.node.node import Node, NodeKeys
from auth.keys import public_key_text
from infra import roles
from infra.messages import Failure, message
from infra.settings import Settings, directive_origin
from plants.commands.group.enrolment import Enrolment


def card_of(settings: Settings, keys: NodeKeys, name: str) -> dict[str, object]:
    """Return the public card of a node: its identity and public keys, and no secret."""
    who: dict[str, object] = {"role": settings.role.value, "group": settings.group}
    if settings.plant_number:
        who |= {"number": settings.plant_number, "code": settings.plant_code, "name": name}
    who |= {"origin": settings.origin, "ledgerKey": str(keys.ledger.key)}
    if settings.plant_number:
        who["assertionKey"] = public_key_text(keys.assertion.public_key)
    return who


def order_of_card(node: Node, shown: dict[str, Any]) -> Enrolment:
    """Return the enrolment order of a plant's card; raises Failure for a card of another group."""
    group, code = node.settings.group, shown["code"]
    if shown["group"] != group:
        raise Failure(
            message(
                "CARD_OF_OTHER_GROUP",
                "Plant {code} belongs to the group {its_group}, and this hub to {group}. Check the card.",
            ),
            code=code,
            its_group=shown["group"],
            group=group,
        )
    return Enrolment(
        number=shown["number"],
        code=code,
        name=shown["name"],
        origin=shown["origin"],
        directive_origin=directive_origin(group, code),
        ledger_key=shown["ledgerKey"],
        assertion_key=shown["assertionKey"],
    )


def read_card(path: Path) -> dict[str, Any]:
    """Return the content of a plant's card; raises Failure for another file."""
    texts = ("group", "code", "name", "origin", "ledgerKey", "assertionKey")
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        shown = None
    fits = isinstance(shown, dict) and type(shown.get("number")) is int
    if not fits or not all(isinstance(shown.get(name), str) for name in texts):
        raise Failure(
            message(
                "PLANT_CARD_INVALID",
                "{path} is not the card of a plant. Make it at the plant: batchloom plant card --home DIR > {name}",
            ),
            path=path,
            name=path.name,
        )
    return dict(shown)


def read_hub_card(path: Path) -> dict[str, Any]:
    """Return the content of a hub's card; raises Failure for another file."""
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        shown = None
    fits = isinstance(shown, dict) and shown.get("role") == roles.Role.HUB.value
    if not fits or not all(isinstance(shown.get(name), str) for name in ("group", "ledgerKey")):
        raise Failure(
            message(
                "HUB_CARD_INVALID",
                "{path} is not the card of a hub. Make it at the hub: batchloom hub card --home DIR > {name}",
            ),
            path=path,
            name=path.name,
        )
    return dict(shown)
