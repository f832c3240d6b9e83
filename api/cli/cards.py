"""Public cards: the JSON that says who a node is and with which keys it signs."""

import json
from pathlib import Path
from typing import Any

from api.cli.output import CannotDo
from api.node.node import Node, NodeKeys
from auth.keys import public_key_text
from infra import roles
from infra.settings import Settings, directive_origin
from plants.commands.group.enrolment import Enrolment


def card_of(settings: Settings, keys: NodeKeys, name: str) -> dict[str, object]:
    """Return what others must know of a node: who it is and its public keys, nothing secret."""
    who: dict[str, object] = {"role": settings.role.value, "group": settings.group}
    if settings.plant_number:
        who |= {"number": settings.plant_number, "code": settings.plant_code, "name": name}
    who |= {"origin": settings.origin, "ledgerKey": str(keys.ledger.key)}
    if settings.plant_number:
        who["assertionKey"] = public_key_text(keys.assertion.public_key)
    return who


def order_of_card(node: Node, shown: dict[str, Any]) -> Enrolment:
    """Return what a plant's card asks for; CannotDo where it is of another group than this hub."""
    group, code = node.settings.group, shown["code"]
    if shown["group"] != group:
        raise CannotDo(
            f"Plant {code} is of the group {shown['group']}, this hub of {group}.",
            f"工厂 {code} 属于 {shown['group']}，而本中心属于 {group}。",
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
    """Return what stands on a plant's card; CannotDo where the file is none."""
    texts = ("group", "code", "name", "origin", "ledgerKey", "assertionKey")
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        shown = None
    fits = isinstance(shown, dict) and type(shown.get("number")) is int
    if not fits or not all(isinstance(shown.get(name), str) for name in texts):
        raise CannotDo(
            f"{path} is not the card of a plant. Make it with: batchloom plant card --home DIR > {path.name}",
            f"{path} 不是工厂名片，请用 batchloom plant card --home 目录 > {path.name} 生成。",
        )
    return dict(shown)


def read_hub_card(path: Path) -> dict[str, Any]:
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        shown = None
    fits = isinstance(shown, dict) and shown.get("role") == roles.Role.HUB.value
    if not fits or not all(isinstance(shown.get(name), str) for name in ("group", "ledgerKey")):
        raise CannotDo(
            f"{path} is not the card of a hub. Make it with: batchloom hub card --home DIR > {path.name}",
            f"{path} 不是中心名片，请用 batchloom hub card --home 目录 > {path.name} 生成。",
        )
    return dict(shown)
