"""Releases from quarantine asked for at a plant and decided at the hub while the plant is away.

One story is played for all tests of the file: four batches are held and their release is asked for; the plant goes
away; the hub decides; the plant comes back without the hub and one of the batches is moved; then the hub comes back.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from infra.ids import new_id
from plants.rules.ledger.events import Entry
from tests.patience import wait_until
from tests.scenarios.preparing import CHEN, LI, PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import HUB, Group, Person, leaves
from tests.scenarios.shop_floor import (
    ask_release,
    check_equal,
    decide,
    entries_of,
    move,
    quarantine,
    receive,
    stock_of,
    wait_level,
)

pytestmark = pytest.mark.timeout(240)

DIRECTIVES = -PLANTS["SH1"]
NAMES = ("released", "moved", "own", "rejected")
STANDING = """query($code: BatchCode!) { batch(code: $code) {
  atPlants { plant { code } disposition version usable blockedBy { code message } }
  holds(filter: { open: true }) { nodes { placedIndex reason } }
} }"""
CHANGE = """query($id: ID!) { changeRequest(id: $id) {
  state batchVersion requestedBy { code } refusal { code } batch { code } differences { field before after }
  decisions { verdict level decidedBy { code } printedName comment }
} }"""


@dataclass
class Story:
    """What was asked for, what each step answered, and the group as it stands at the end."""

    group: Group
    codes: dict[str, str] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    away: dict[str, Any] = field(default_factory=dict)

    @property
    def li(self) -> Person:
        return self.group.at("SH1", LI)

    def plant_entries(self) -> list[Entry]:
        """Return what the plant wrote after it heard of the decisions."""
        return entries_of(self.group.store("SH1"), 1, self.sizes["moved"])

    def about(self, name: str) -> list[Entry]:
        return [entry for entry in self.plant_entries() if entry.envelope["key"] == self.codes[name]]

    def standing(self, person: Person, name: str) -> dict[str, Any]:
        batch = dict(person.ask(STANDING, code=self.codes[name])["batch"])
        (standing,) = batch["atPlants"]
        return {**standing, "holds": batch["holds"]["nodes"]}

    def change(self, person: Person, name: str) -> dict[str, Any]:
        return dict(person.ask(CHANGE, id=self.changes[name]["id"])["changeRequest"])


@pytest.fixture(scope="module")
def story(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with copy_group(prepared, tmp_path_factory.mktemp("approval")) as group:
        played = Story(group)
        group.start(HUB, "SH1")
        ask(played)
        group.stop("SH1")
        decide_at_hub(played)
        group.stop(HUB)
        group.start("SH1")
        move_meanwhile(played)
        group.start(HUB)
        wait_until(partial(has_answered, played), "the plant answers the directives")
        wait_level(group, ["SH1"])
        yield played


def ask(story: Story) -> None:
    for name in NAMES:
        code = story.codes[name] = receive(story.li)
        story.holds[name] = quarantine(story.li, code)
        story.changes[name] = ask_release(story.li, code)
    wait_level(story.group, ["SH1"])


def decide_at_hub(story: Story) -> None:
    store, hub = story.group.store(HUB), partial(story.group.at, HUB)
    before = leaves(store, DIRECTIVES), leaves(store, 1)
    story.answers["own"] = decide(hub(LI), story.changes["own"])
    story.away["own wrote nothing"] = (leaves(store, DIRECTIVES), leaves(store, 1)) == before
    request = new_id()
    story.answers["released"] = decide(hub(CHEN), story.changes["released"], request=request)
    story.sizes["first directive"] = len(leaves(store, DIRECTIVES))
    story.answers["released, sent again"] = decide(hub(CHEN), story.changes["released"], request=request)
    story.answers["released, decided again"] = decide(hub(CHEN), story.changes["released"])
    story.answers["released, rejected after"] = decide(hub(CHEN), story.changes["released"], "REJECTED")
    story.away["again wrote nothing"] = len(leaves(store, DIRECTIVES)) == story.sizes["first directive"]
    story.answers["moved"] = decide(hub(CHEN), story.changes["moved"])
    story.answers["rejected"] = decide(hub(CHEN), story.changes["rejected"], "REJECTED")
    story.sizes["directives"] = len(leaves(store, DIRECTIVES))
    story.away["at the hub"] = story.standing(hub(CHEN), "released")


def move_meanwhile(story: Story) -> None:
    """The plant works without the hub: nothing is released, and the batch that was to be released is moved."""
    story.away["at the plant"] = story.standing(story.li, "released")
    move(story.li, story.codes["moved"], "30")
    story.sizes["moved"] = len(leaves(story.group.store("SH1"), 1))


def has_answered(story: Story) -> bool:
    kinds = Counter(entry.type for entry in story.plant_entries())
    return kinds["DirectiveApplied"] + kinds["DirectiveRejected"] == 3


def test_plant_away_then_nothing_is_released_before_it_knows(story: Story) -> None:
    for place in ("at the hub", "at the plant"):
        seen = story.away[place]
        assert (seen["usable"], seen["blockedBy"]["code"]) == (False, "BATCH_ON_HOLD"), place
        assert [hold["placedIndex"] for hold in seen["holds"]] == [story.holds["released"]]


def test_approved_while_away_then_applied_once_and_usable(story: Story) -> None:
    code = story.codes["released"]
    assert story.answers["released"]["__typename"] == "ChangeRequestDecided"
    entries = story.about("released")
    assert [entry.type for entry in entries] == ["ChangeDecided", "ChangeApplied", "DirectiveApplied"]
    decided, applied, answered = entries
    change = story.changes["released"]["index"]
    assert (decided.envelope["actor"], decided.payload["level"], decided.payload["verdict"]) == (
        CHEN, "HUB", "APPROVED",
    )  # fmt: skip
    assert (decided.payload["change"], decided.payload["proposal"]) == (change, story.changes["released"]["proposal"])
    assert (applied.payload["change"], applied.payload["lifted"]) == (
        change,
        [[decided_batch(story, "released"), story.holds["released"]]],
    )
    assert answered.payload == {
        "directive": story.answers["released"]["entry"]["index"],
        "met_version": story.holds["released"],
    }
    for person in (story.li, story.group.at(HUB, CHEN)):
        seen = story.standing(person, "released")
        assert (seen["usable"], seen["blockedBy"], seen["holds"]) == (True, None, [])
        change_seen = story.change(person, "released")
        assert (change_seen["state"], change_seen["refusal"]) == ("APPLIED", None)
        assert change_seen["decisions"][-1] == {
            "verdict": "APPROVED", "level": "HUB", "decidedBy": {"code": CHEN}, "printedName": "Chen Jing",
            "comment": "Looked at",
        }  # fmt: skip
        assert stock_of(person, code) == {"A1": "100"}


def decided_batch(story: Story, name: str) -> int:
    with story.group.store("SH1").transaction() as session:
        row = session.row("SELECT id FROM batches WHERE code = :code", {"code": story.codes[name]})
    assert row is not None
    return int(row[0])


def test_same_approval_twice_then_one_effect(story: Story) -> None:
    first, again = story.answers["released"], story.answers["released, sent again"]
    assert again["entry"] == first["entry"]
    assert story.away["again wrote nothing"]
    for name in ("released, decided again", "released, rejected after"):
        refused = story.answers[name]
        assert (refused["__typename"], refused["code"]) == ("ChangeAlreadyDecided", "CHANGE_ALREADY_DECIDED")
    assert len(leaves(story.group.store(HUB), DIRECTIVES)) == story.sizes["directives"]
    kinds = Counter(entry.type for entry in story.plant_entries())
    assert kinds == {
        "ChangeDecided": 3, "ChangeApplied": 1, "ChangeRefused": 1, "DirectiveApplied": 2, "DirectiveRejected": 1,
    }  # fmt: skip


def test_batch_moved_meanwhile_then_stale_and_still_held(story: Story) -> None:
    assert story.answers["moved"]["__typename"] == "ChangeRequestDecided", "the hub did not know of the move"
    entries = story.about("moved")
    assert [entry.type for entry in entries] == ["ChangeDecided", "ChangeRefused", "DirectiveRejected"]
    _, refused, answered = entries
    hold, moved = story.holds["moved"], story.sizes["moved"] - 1
    data = {"batch": story.codes["moved"], "proposed": str(hold), "current": str(moved)}
    assert (refused.payload["refusal"], refused.payload["data"]) == ("CHANGE_STALE", data)
    assert answered.payload == {
        "directive": story.answers["moved"]["entry"]["index"],
        "met_version": moved,
        "refusal": "CHANGE_STALE",
        "data": data,
    }
    for person in (story.li, story.group.at(HUB, CHEN)):
        seen = story.standing(person, "moved")
        assert (seen["usable"], seen["blockedBy"]["code"]) == (False, "BATCH_ON_HOLD")
        assert seen["holds"] == [{"placedIndex": hold, "reason": "Damp sacks"}]
        change = story.change(person, "moved")
        assert (change["state"], change["refusal"]) == ("REFUSED", {"code": "CHANGE_STALE"})
        assert stock_of(person, story.codes["moved"]) == {"A1": "70", "B1": "30"}


def test_requester_approves_at_the_hub_then_refused_and_nothing_changed(story: Story) -> None:
    refused = story.answers["own"]
    assert (refused["__typename"], refused["code"]) == ("ChangeOwnRequest", "CHANGE_OWN_REQUEST")
    number = story.changes["own"]["index"]
    assert refused["message"] == f"You made change request {number} yourself. Another person must decide it."
    assert story.away["own wrote nothing"]
    assert story.about("own") == []
    for person in (story.li, story.group.at(HUB, CHEN)):
        seen = story.standing(person, "own")
        assert (seen["usable"], [hold["placedIndex"] for hold in seen["holds"]]) == (False, [story.holds["own"]])
        assert story.change(person, "own")["state"] == "REQUESTED"


def test_rejected_while_away_then_recorded_and_still_held(story: Story) -> None:
    assert [entry.type for entry in story.about("rejected")] == ["ChangeDecided", "DirectiveApplied"]
    for person in (story.li, story.group.at(HUB, CHEN)):
        assert story.standing(person, "rejected")["usable"] is False
        assert story.change(person, "rejected")["state"] == "REJECTED"


def test_started_once_more_then_nothing_is_applied_again_and_all_is_level(story: Story) -> None:
    """The last of the file: the directives stand in the plant's store and at the hub, and are not answered again."""
    before = leaves(story.group.store("SH1"), 1)
    story.group.kill("SH1")
    story.group.start("SH1")
    wang = story.group.at("SH1", WANG)
    assert story.standing(wang, "released")["usable"] is True
    move(story.li, story.codes["released"], "1")
    wait_level(story.group, ["SH1"])
    after = leaves(story.group.store("SH1"), 1)
    assert (after[:-1], len(after)) == (before, len(before) + 1)
    check_equal(story.group, ["SH1"])
