"""Checks after a campaign: plant and hub have every answered operation once, and the tables fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from infra.database import Store
from plants.commands.replication.rebuild import rebuild
from plants.store.projection.rebuilding import table_digests
from tests.campaigns.operators import Operator
from tests.patience import wait_until
from tests.scenarios.preparing import PLANTS
from tests.scenarios.processes import HUB, Group, is_level, leaves
from tests.sync_jobs.group import stand


def counted(store: Store, log_id: int) -> int:
    """Return how many entries a ledger has."""
    return stand(store, log_id)[0]


def check(group: Group, operators: Sequence[Operator], before: Mapping[str, int], *, seconds: float) -> dict[str, Any]:
    """Wait until hub and plants are equal, and return lost, doubled or unequal entries: none, if all is well.

    `before` gives how long each plant's ledger was before anybody wrote. `lost` are answered operations that a ledger
    does not have as they were answered, `doubled` those that it has more than once, and `strangers` entries that
    nobody was answered for.
    """
    for code, number in PLANTS.items():
        wait_until(partial(is_level, group, code, number), f"the hub is level with {code}", seconds)
    group.stop(*group.nodes)
    for other in group.others.values():
        other.stop()
    lost: list[str] = []
    doubled: list[str] = []
    strangers: list[str] = []
    for code, number in PLANTS.items():
        answered = [one for person in operators if person.node.code == code for one in person.acknowledged]
        requests = _requests(group.store(code), number)
        doubled += [f"{code} {request}" for request, times in Counter(requests.values()).items() if times > 1]
        strangers += _strangers(code, requests, {one.request for one in answered}, before[code])
        for at in (code, HUB):
            kept = {index: leaf for index, leaf, _ in leaves(group.store(at), number)}
            lost += [f"{at} {code}/{one.index}" for one in answered if kept.get(one.index) != one.leaf]
        events = Counter(event for _, _, event in leaves(group.store(HUB), number))
        doubled += [f"{HUB} {event}" for event, times in events.items() if times > 1]
    return {
        "operations": sum(len(person.acknowledged) for person in operators),
        "sent_again": sum(one.tries > 1 for person in operators for one in person.acknowledged),
        "lost": lost,
        "doubled": doubled,
        "strangers": strangers,
        "unequal": unequal(group),
        "unexpected": [line for person in operators for line in person.unexpected],
    }


def unequal(group: Group) -> list[str]:
    """Return every ledger whose root differs between plant and hub, and every table that a rebuild makes otherwise."""
    found = []
    for code, number in PLANTS.items():
        if stand(group.store(code), number) != stand(group.store(HUB), number):
            found.append(f"root of {code}")
    for code in group.nodes:
        store = group.store(code)
        kept, made = table_digests(store), rebuilt_digests(store)
        found += [f"{code} {name}" for name in kept if kept[name] != made[name]]
    return found


def rebuilt_digests(store: Store) -> dict[str, str]:
    """Return the digests of the tables as the ledgers alone make them; the tables are made again for it."""
    with store.transaction() as session:
        rebuild(session)
    return table_digests(store)


def _requests(store: Store, log_id: int) -> dict[int, str]:
    with store.transaction() as session:
        rows = session.rows(
            "SELECT idx, request FROM entries WHERE log_id = :log_id AND request IS NOT NULL", {"log_id": log_id}
        )
    return {index: str(request) for index, request in rows}


def _strangers(code: str, requests: Mapping[int, str], answered: set[str], before: int) -> list[str]:
    return [f"{code}/{index}" for index, request in requests.items() if index >= before and request not in answered]
