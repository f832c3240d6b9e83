"""Directives are in force at once at the hub, at each plant from its own answer on, and only once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.database import Store
from infra.messages import word
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.directives.directives import (
    GroupCommand,
    HoldDirection,
    MasterDirection,
    Order,
    RecallDirection,
    ReleaseDirection,
    direct_hold,
    direct_master,
    direct_recall,
    direct_release,
)
from plants.commands.directives.hold_propagation import follow_goods
from plants.commands.directives.outcomes import apply_directive
from plants.commands.execution import CommandContext
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, UnitDefinition
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication.rebuild import rebuild
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.audit.refusals import CORRECTION_IMPOSSIBLE
from plants.rules.directives.refusals import DIRECTED_HOLD_UNKNOWN
from plants.rules.identification.codes import check_character
from plants.rules.identification.refusals import BATCH_CODE_INVALID, CODE_INVALID, CODE_TAKEN
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.ledger.events import Entry
from plants.rules.ledger.refusals import REQUEST_REUSED
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.holds import HoldKind
from plants.rules.quality.refusals import BATCH_ON_HOLD, HEADQUARTERS, HOLD_DIRECTED, QUALITY
from plants.rules.values.actors import Author
from plants.rules.values.instants import format_instant
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    KNOWN_UNITS,
    LINES_INVALID,
    TEXT_INVALID,
    UNIT_UNKNOWN,
    Refusal,
)
from plants.rules.values.refusals import RefusalCode as R
from plants.store.projection.rebuilding import table_digests
from tests.databases import migrated_file
from tests.factories import Plant
from tests.plants.recorded_requests import FORMS, writing_in
from tests.plants.replicas import DIRECTOR, Hub, answer_next, carry, hub_beside, pending

REQUEST = "0190b0a0-0000-7000-8000-000000000007"
OTHER = Author("person-8", "Zhao Min 赵敏")
NOWHERE = "SH1-260101-0001" + check_character("SH1-260101-0001")


@pytest.fixture
def hub(tmp_path: Path, here: Plant, there: Plant) -> Iterator[Hub]:
    """A hub that has all entries of two plants, SH1 and NB1."""
    with hub_beside(tmp_path, here, there) as hub:
        yield hub


def directs(
    hub: Hub, command: GroupCommand[Order], order: Order, at: Plant, actor: Author = DIRECTOR, **given: Any
) -> list[Entry]:
    """Do a command of headquarters and commit it."""
    with hub.store.transaction() as session:
        return command(session, order, actor=actor, call=CommandContext(0, at.clock.now(), **given))


def refuses(hub: Hub, command: GroupCommand[Order], order: Order, code: R, **given: Any) -> dict[str, str]:
    """Check that a command of headquarters is refused and changes nothing; return the refusal's data."""
    at = given.pop("at")
    desk = hub.desk(at)
    before = desk.everything()
    with pytest.raises(Refusal) as caught:
        directs(hub, command, order, at, **given)
    assert caught.value.code is code, caught.value
    assert "{" not in word(caught.value, "en") + word(caught.value, "zh")
    assert desk.everything() == before
    return caught.value.data


def shared(here: Plant, there: Plant, amount: str = "40") -> str:
    """Return a batch that SH1 received and of which NB1 has some."""
    code = here.receive()
    receive(there, send(here, code, amount), here)
    return code


def send(here: Plant, code: str, amount: str) -> Entry:
    return here.do(dispatch_transfer, Dispatch("NB1", (StockLine(code, amount, "KGM", "A1"),)))


def receive(there: Plant, sent: Entry, here: Plant) -> Entry:
    return there.do(receive_transfer, TransferReceipt(transfer_manifest(sent, here.origin), "A1"))


def hears(hub: Hub, *plants: Plant) -> None:
    for plant in plants:
        hub.hears(plant)


def obeys(hub: Hub, plant: Plant) -> Entry:
    """Bring the directives to a plant, let it answer them all, and bring its answers back; return the last."""
    hub.tells(plant)
    answer = answer_next(plant)
    while pending(plant) is not None:
        answer = answer_next(plant)
    hub.hears(plant)
    return answer


def holds(plant: Plant) -> list[tuple[object, ...]]:
    sql = "SELECT kind, reason, placed_by, directed, lifted_idx FROM holds WHERE plant_id = :p ORDER BY hold_id"
    return plant.rows(sql, p=plant.number)


def directed(hub: Hub, at: Plant) -> list[tuple[object, ...]]:
    return hub.desk(at).rows(
        "SELECT plant_id, batch_code, kind, directive_idx, ended_idx FROM directed_holds ORDER BY plant_id, batch_code"
    )


def waiting(plant: Plant) -> list[tuple[object, ...]]:
    return plant.rows(
        "SELECT batch_code, hold, kind, directive_idx FROM waiting_holds WHERE plant_id = :p ORDER BY 1", p=plant.number
    )


def use(plant: Plant, code: str) -> None:
    """Feed some of a batch into a new process record."""
    process = plant.do(open_process, ProcessOrder()).payload["process"]["id"]
    plant.do(feed_process, Feed(process, (StockLine(code, "1", "KGM", "A1"),)))


def cannot_use(plant: Plant, code: str, lifter: str = HEADQUARTERS) -> None:
    process = plant.do(open_process, ProcessOrder()).payload["process"]["id"]
    data = plant.refuses(feed_process, Feed(process, (StockLine(code, "1", "KGM", "A1"),)), BATCH_ON_HOLD)
    assert data["lifter"] == lifter


MILK = MaterialDefinition("RM-GOAT", "Goat milk 羊奶", "KGM", 20, None, {"BG": "25", "DR": "1/3"})


@pytest.mark.parametrize(
    "definition, stated_as",
    [
        (MILK, ("MaterialDefined", {
            "code": "RM-GOAT", "name": "Goat milk 羊奶", "unit": "KGM", "shelf_life_days": 20, "retest_days": None,
            "conversions": {"BG": "25", "DR": "1/3"},
        })),
        (UnitDefinition("SACK", "Sack 袋", "KGM", "25.0"),
         ("UnitDefined", {"code": "SACK", "name": "Sack 袋", "of": "KGM", "factor": "25"})),
        *(
            (MasterDefinition(kind, "X1", "New"), (f"{kind.capitalize()}Defined", {"code": "X1", "name": "New"}))
            for kind in MasterKind
            if kind is not MasterKind.UNIT
        ),
    ],
)  # fmt: skip
def test_master_data_directed_to_two_plants_then_each_states_it_when_it_hears_of_it(
    hub: Hub, here: Plant, there: Plant, definition: Any, stated_as: Any
) -> None:
    event, content = stated_as
    first, second = directs(hub, direct_master, MasterDirection(("NB1", "SH1"), definition), here)
    assert [first.envelope["plant"], second.envelope["plant"]] == [-1, -2]
    assert first.payload == second.payload == {"kind": event.removesuffix("Defined").upper(), "content": content}
    answer = obeys(hub, here)
    stated = here.entry(-2)
    assert (stated.type, stated.payload, stated.envelope["actor"]) == (event, content, "person-9")
    cause = {"origin": "acme.example/hub/to/SH1/i1", "index": 0, "leaf": first.leaf.hex()}
    assert stated.envelope["causes"] == answer.envelope["causes"] == [cause]
    assert (answer.type, answer.payload) == ("DirectiveApplied", {"directive": 0, "met_version": None})
    table = "materials" if event == "MaterialDefined" else "master_records"
    sql = f"SELECT name FROM {table} WHERE plant_id = 2 AND code = :code"
    assert hub.desk(there).rows(sql, code=content["code"]) == []
    there.clock.advance(days=3)
    obeys(hub, there)
    assert hub.desk(there).rows(sql, code=content["code"]) == [(content["name"],)]


def test_material_in_a_unit_that_one_plant_lacks_then_that_plant_says_so(hub: Hub, here: Plant, there: Plant) -> None:
    directs(hub, direct_master, MasterDirection(("SH1",), UnitDefinition("SACK", "Sack", "KGM", "25")), here)
    directs(hub, direct_master, MasterDirection(("SH1", "NB1"), MaterialDefinition("M", "In sacks", "SACK")), here)
    assert obeys(hub, here).type == "DirectiveApplied"
    rejected = obeys(hub, there)
    assert rejected.payload == {
        "directive": 0, "met_version": None, "refusal": "UNIT_UNKNOWN",
        "data": {"unit": "SACK", "known": KNOWN_UNITS},
    }  # fmt: skip
    assert there.rows("SELECT 1 FROM materials WHERE code = 'M'") == []


@pytest.mark.parametrize(
    "definition, code",
    [
        (MaterialDefinition("rm milk", "Milk", "KGM"), CODE_INVALID),
        (MaterialDefinition("M", " ", "KGM"), TEXT_INVALID),
        (MaterialDefinition("M", "Milk", "KGM", 0), TEXT_INVALID),
        (MaterialDefinition("M", "Milk", "KGM", conversions={"BG": "x"}), AMOUNT_NOT_A_NUMBER),
        (UnitDefinition("KGM", "Kilo", "KGM", "1"), CODE_TAKEN),
        (UnitDefinition("SACK", "Sack", "NONE", "1"), UNIT_UNKNOWN),
    ],
)
def test_wrong_master_data_then_refused_at_the_hub(hub: Hub, here: Plant, definition: Any, code: R) -> None:
    refuses(hub, direct_master, MasterDirection(("SH1", "NB1"), definition), code, at=here)


def test_plants_that_are_not_there_then_refused_for_all(hub: Hub, here: Plant) -> None:
    master = MasterDefinition(MasterKind.LOCATION, "C1", "Cellar")
    data = refuses(hub, direct_master, MasterDirection(("SH1", "ZZ9"), master), NOT_DEFINED, at=here)
    assert data == {"thing": "plant", "code": "ZZ9"}
    refuses(hub, direct_master, MasterDirection((), master), LINES_INVALID, at=here)


def test_hold_then_in_force_at_the_hub_at_once_and_at_each_plant_from_its_answer_on(
    hub: Hub, here: Plant, there: Plant
) -> None:
    code = shared(here, there)
    hears(hub, here, there)
    order = HoldDirection(code, "Glass found 发现玻璃")
    first, second = directs(hub, direct_hold, order, here)
    hold = first.payload["hold"]
    batch = {"id": here.batch_id(code), "code": code}
    said = {"hold": hold, "batch": batch, "kind": "QUALITY", "reason": "Glass found 发现玻璃", "everywhere": True}
    assert first.payload == second.payload == said
    assert [one.envelope["plant"] for one in (first, second)] == [-1, -2]
    assert first.envelope["key"] == code
    assert directed(hub, here) == [(1, code, "QUALITY", 0, None), (2, code, "QUALITY", 0, None)]
    assert hub.desk(here).rows("SELECT 1 FROM holds") == []

    met = here.batch(code)["version"]
    use(there, code)  # NB1 does not know it yet.
    answer = obeys(hub, here)
    assert answer.payload == {"directive": 0, "met_version": met, "met": {code: met}}
    placed = here.entry(-2)
    assert (placed.type, placed.envelope["actor"], placed.envelope["key"]) == ("BatchQuarantined", "person-9", code)
    assert placed.envelope["occurred_at"] == format_instant(here.clock.now())
    assert holds(here) == [("QUALITY", "Glass found 发现玻璃", "person-9", hold, None)]
    cannot_use(here, code)
    assert hub.desk(here).rows("SELECT plant_id, directed FROM holds") == [(1, hold)]

    fed = there.entry()
    answer = obeys(hub, there)
    assert answer.payload["met_version"] == fed.index, "what was fed before it heard of the hold stays"
    cannot_use(there, code)
    assert holds(there) == holds(here)


def test_same_directive_twice_then_one_hold_and_the_first_answer(hub: Hub, here: Plant) -> None:
    code = here.receive()
    hub.hears(here)
    (directive,) = directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    answer = obeys(hub, here)
    before = here.everything()
    with here.store.transaction() as session:
        assert apply_directive(session, directive, plant=1, now=here.clock.now()).body == answer.body
    assert here.everything() == before


@pytest.mark.parametrize("form", FORMS)
def test_same_request_twice_then_the_same_entries_and_another_use_is_refused(
    hub: Hub, here: Plant, there: Plant, form: str
) -> None:
    code = shared(here, there)
    hears(hub, here, there)
    with writing_in(form):
        first = directs(hub, direct_hold, HoldDirection(code, "Glass"), here, request=REQUEST)
    before = hub.desk(here).everything()
    again = directs(hub, direct_hold, HoldDirection(code, "Glass"), here, request=REQUEST)
    assert [one.body for one in again] == [one.body for one in first]
    assert hub.desk(here).everything() == before
    refuses(hub, direct_hold, HoldDirection(code, "Metal"), REQUEST_REUSED, at=here, request=REQUEST)
    refuses(hub, direct_hold, HoldDirection(code, "Glass"), REQUEST_REUSED, at=here, actor=OTHER, request=REQUEST)


def test_plant_releases_what_headquarters_holds_then_refused_and_its_own_holds_wait_for_nobody(
    hub: Hub, here: Plant
) -> None:
    code = here.receive()
    hub.hears(here)
    directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    obeys(hub, here)
    index = here.entry(-2).index
    for named in (index, None):
        data = here.refuses(request_change, ReleaseRequest(code, "Looks fine", named), HOLD_DIRECTED)
        assert data == {"batch": code, "hold": str(index)}
    here.refuses(correct_entry, Correction(index, CorrectionReason.DID_NOT_OCCUR, "No"), CORRECTION_IMPOSSIBLE)
    own = here.do(quarantine_batch, Quarantine(code, "Seal broken"))
    asked = here.do(request_change, ReleaseRequest(code, "Resealed"))
    assert asked.payload["detail"] == {"holds": str(own.index)}, "the plant's own alone"


def test_release_then_lifted_everywhere_at_the_hub_at_once_and_other_holds_stay(
    hub: Hub, here: Plant, there: Plant
) -> None:
    code = shared(here, there)
    here.do(quarantine_batch, Quarantine(code, "Seal broken"))
    hears(hub, here, there)
    (sent, _) = directs(hub, direct_hold, HoldDirection(code, "Glass", HoldKind.UPSTREAM), here)
    obeys(hub, here)
    obeys(hub, there)
    hold = sent.payload["hold"]
    released = directs(hub, direct_release, ReleaseDirection(hold, "Was sugar"), here)
    assert [(one.envelope["plant"], one.type, one.envelope["key"]) for one in released] == [
        (-1, "ReleaseDirected", code), (-2, "ReleaseDirected", code),
    ]  # fmt: skip
    assert directed(hub, here) == [(1, code, "UPSTREAM", 0, 1), (2, code, "UPSTREAM", 0, 1)]
    met = there.batch(code)["version"]
    answer = obeys(hub, there)
    assert answer.payload == {"directive": 1, "met_version": met, "met": {code: met}}
    lifting = there.entry(-2)
    assert (lifting.type, lifting.envelope["reason"]) == ("BatchReleased", "Was sugar")
    assert holds(there) == [("UPSTREAM", "Glass", "person-9", hold, lifting.index)]
    use(there, code)
    assert [row[4] for row in holds(here)] == [None, None], "SH1 is away"
    obeys(hub, here)
    assert [row[4] is None for row in holds(here)] == [True, False]
    cannot_use(here, code, QUALITY)
    refuses(hub, direct_release, ReleaseDirection(hold, "Again"), DIRECTED_HOLD_UNKNOWN, at=here)
    refuses(hub, direct_release, ReleaseDirection("x" * 1000, "Why"), DIRECTED_HOLD_UNKNOWN, at=here)


def test_hold_on_a_batch_the_plant_does_not_know_then_rejected_and_it_bites_when_goods_come(
    hub: Hub, here: Plant, there: Plant
) -> None:
    code = here.receive()
    sent = send(here, code, "40")
    hub.hears(here)
    first, second = directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    assert second.envelope["plant"] == -2, "goods of it are on their way there"
    hold = first.payload["hold"]
    answer = obeys(hub, there)
    batch = {"id": here.batch_id(code), "code": code}
    assert (answer.type, answer.payload) == (
        "DirectiveRejected",
        {
            "directive": 0, "met_version": None, "refusal": "BATCH_UNKNOWN", "data": {"batch": code},
            "waiting": [{"batch": batch, "hold": hold, "kind": "QUALITY", "reason": "Glass"}],
        },
    )  # fmt: skip
    assert waiting(there) == waiting(hub.desk(there)) == [(code, hold, "QUALITY", 0)]
    assert directed(hub, here)[1] == (2, code, "QUALITY", 0, None)
    other = there.receive()
    assert holds(there) == []
    use(there, other)

    receipt = receive(there, sent, here)
    placed = there.entry()
    assert (placed.type, placed.index) == ("BatchQuarantined", receipt.index + 1)
    assert placed.payload == {
        "holds": [{"batch": batch["id"], "kind": "QUALITY", "reason": "Glass", "directed": hold}],
        "waited": [[code, hold]],
    }
    assert placed.envelope["actor"] == "person-9"
    assert placed.envelope["causes"] == [
        {"origin": "acme.example/hub/to/NB1/i1", "index": 0, "leaf": second.leaf.hex()}
    ]
    assert "request" not in placed.envelope
    cannot_use(there, code)
    there.refuses(request_change, ReleaseRequest(code, "Fine", placed.index), HOLD_DIRECTED)
    assert waiting(there) == []
    hub.hears(there)
    assert waiting(hub.desk(there)) == []
    for store, number in ((hub.store, None), (there.store, None)):
        before = table_digests(store, plant=number)
        with store.transaction() as session:
            rebuild(session)
        assert table_digests(store, plant=number) == before
    at_the_plant, at_the_hub = table_digests(there.store, plant=2), table_digests(hub.store, plant=2)
    assert at_the_hub == at_the_plant


def test_receipt_that_did_not_occur_then_the_hold_stays_on_what_is_known(hub: Hub, here: Plant, there: Plant) -> None:
    code = here.receive()
    sent = send(here, code, "40")
    hub.hears(here)
    directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    obeys(hub, there)
    receipt = receive(there, sent, here)
    there.do(correct_entry, Correction(receipt.index, CorrectionReason.DID_NOT_OCCUR, "Next truck"))
    receive(there, sent, here)
    assert [row[4] for row in holds(there)] == [None]
    cannot_use(there, code)


def test_waiting_hold_released_before_goods_come_then_they_are_free(hub: Hub, here: Plant, there: Plant) -> None:
    code = here.receive()
    sent = send(here, code, "40")
    hub.hears(here)
    (first, _) = directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    obeys(hub, there)
    directs(hub, direct_release, ReleaseDirection(first.payload["hold"], "Was sugar"), here)
    answer = obeys(hub, there)
    assert (answer.type, answer.payload) == (
        "DirectiveApplied", {"directive": 1, "met_version": None, "waited": [[code, first.payload["hold"]]]},
    )  # fmt: skip
    assert waiting(there) == waiting(hub.desk(there)) == []
    receive(there, sent, here)
    assert holds(there) == []
    use(there, code)


def test_batch_that_the_hub_does_not_know_then_plants_must_be_named_and_the_code_be_right(
    hub: Hub, here: Plant, there: Plant
) -> None:
    code = NOWHERE
    refuses(hub, direct_hold, HoldDirection(code, "Glass"), BATCH_UNKNOWN, at=here)
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    refuses(hub, direct_hold, HoldDirection(wrong, "Glass", plants=("NB1",)), BATCH_CODE_INVALID, at=here)
    refuses(hub, direct_hold, HoldDirection(code, " ", plants=("NB1",)), TEXT_INVALID, at=here)
    (sent,) = directs(hub, direct_hold, HoldDirection(code, "Glass", plants=("NB1",)), here)
    assert sent.payload["batch"] == {"id": None, "code": code}
    assert obeys(hub, there).payload["refusal"] == "BATCH_UNKNOWN"
    assert waiting(there) == [(code, sent.payload["hold"], "QUALITY", 0)]


def test_batch_known_here_and_not_yet_at_the_hub_then_held_by_its_code(hub: Hub, here: Plant) -> None:
    code = here.receive()
    (sent,) = directs(hub, direct_hold, HoldDirection(code, "Glass", plants=("SH1",)), here)
    assert sent.payload["batch"]["id"] is None
    assert obeys(hub, here).type == "DirectiveApplied"
    cannot_use(here, code)


def test_recall_then_one_thing_at_every_plant_with_goods_of_any_and_closed_as_one(
    hub: Hub, here: Plant, there: Plant
) -> None:
    code, only_here = shared(here, there), here.receive()
    free = here.receive()
    hears(hub, here, there)
    sent = directs(hub, direct_recall, RecallDirection((code, only_here, code), "Salmonella 沙门氏菌"), here)
    recall = sent[0].payload["recall"]
    named = [{"id": here.batch_id(one), "code": one} for one in (code, only_here)]
    assert [(one.envelope["plant"], one.envelope["key"], one.payload) for one in sent] == [
        (number, recall, {"recall": recall, "batches": named, "reason": "Salmonella 沙门氏菌", "everywhere": True})
        for number in (-1, -2)
    ]
    versions = {one: here.batch(one)["version"] for one in (code, only_here)}
    answer = obeys(hub, here)
    assert answer.payload == {"directive": 0, "met_version": max(versions.values()), "met": versions}
    assert [(kind, hold) for kind, _, _, hold, _ in holds(here)] == [("RECALL", recall)] * 2
    use(here, free)
    met = there.batch(code)["version"]
    answer = obeys(hub, there)
    assert answer.type == "DirectiveApplied"
    assert answer.payload["met"] == {code: met}
    assert [one["batch"] for one in answer.payload["waiting"]] == [named[1]]
    assert waiting(there) == [(only_here, recall, "RECALL", 0)]

    closed = directs(hub, direct_release, ReleaseDirection(recall, "Test was wrong"), here)
    assert [(one.envelope["key"], len(one.payload["batches"])) for one in closed] == [(recall, 2)] * 2
    for plant in (here, there):
        assert obeys(hub, plant).type == "DirectiveApplied"
        assert None not in [row[4] for row in holds(plant)]
        use(plant, code)
    assert waiting(there) == []
    assert {row[4] for row in directed(hub, here)} == {1}


def test_recall_of_a_batch_nobody_has_then_refused_whole(hub: Hub, here: Plant) -> None:
    code = here.receive()
    hub.hears(here)
    data = refuses(hub, direct_recall, RecallDirection((code, NOWHERE), "Salmonella"), BATCH_UNKNOWN, at=here)
    assert data == {"batch": NOWHERE}
    refuses(hub, direct_recall, RecallDirection((), "Salmonella"), LINES_INVALID, at=here)
    for order, places in (
        (RecallDirection((NOWHERE, code, "漢"), "Salmonella"), [("batchCodes", "0"), ("batchCodes", "2")]),
        (RecallDirection((NOWHERE, code, NOWHERE), "Salmonella"), [("batchCodes", "0"), ("batchCodes", "2")]),
        (RecallDirection((code,), "Salmonella", ("ZZ9", "SH1", "ZZ8")), [("plantCodes", "0"), ("plantCodes", "2")]),
    ):
        with pytest.raises(Refusal) as caught:
            directs(hub, direct_recall, order, here)
        assert [one.path for one in (caught.value, *caught.value.further)] == places


def test_two_holds_of_headquarters_wait_for_one_batch_then_both_are_placed(hub: Hub, here: Plant, there: Plant) -> None:
    code = here.receive()
    sent = send(here, code, "40")
    hub.hears(here)
    first = directs(hub, direct_hold, HoldDirection(code, "Glass"), here)[1].payload["hold"]
    second = directs(hub, direct_recall, RecallDirection((code,), "Salmonella"), here)[1].payload["recall"]
    obeys(hub, there)
    receive(there, sent, here)
    assert [(kind, hold) for kind, _, _, hold, _ in holds(there)] == [("QUALITY", first), ("RECALL", second)]


@pytest.mark.parametrize(
    "event, payload",
    [
        ("HoldDirected", {"hold": "h", "batch": {"id": None, "code": "X"}, "kind": "WHIM", "reason": "r"}),
        ("HoldDirected", {"hold": "h", "batch": {"id": "1", "code": "X"}, "kind": "QUALITY", "reason": "r"}),
        ("HoldDirected", {"hold": "h", "batch": {"id": 2**53, "code": "X"}, "kind": "QUALITY", "reason": "r"}),
        ("HoldDirected", {"hold": 7, "batch": {"id": None, "code": "X"}, "kind": "QUALITY", "reason": "r"}),
        ("HoldDirected", {"hold": "h", "batch": None, "kind": "QUALITY", "reason": "r"}),
        ("RecallDirected", {"recall": "h", "batches": [], "reason": "r"}),
        ("RecallDirected", {"recall": "h", "batches": [{"id": None, "code": "a\0b"}], "reason": "r"}),
        ("ReleaseDirected", {"hold": "h", "batches": {}, "reason": "r"}),
        ("MasterDirected", {"kind": "PERSON", "content": {"code": "X", "name": "X"}}),
        ("MasterDirected", {"kind": "LOCATION", "content": {"code": "X", "name": 7}}),
        ("MasterDirected", {"kind": "LOCATION", "content": {"code": "X", "name": "X", "more": "x"}}),
        ("MasterDirected", {"kind": "MATERIAL", "content": {"code": "X", "name": "X", "unit": "KGM",
                                                             "shelf_life_days": "many"}}),
        ("MasterDirected", {"kind": "MATERIAL", "content": {"code": "X", "name": "X", "unit": "KGM",
                                                             "conversions": ["KGM"]}}),
        ("MasterDirected", []),
    ],
)  # fmt: skip
def test_directive_of_another_form_then_rejected_as_unsupported_and_nothing_else_recorded(
    hub: Hub, here: Plant, event: str, payload: Any
) -> None:
    before = len(here.entries())
    hub.directs(here, event, payload)
    hub.tells(here)
    answer = answer_next(here)
    assert answer.type == "DirectiveRejected"
    assert (answer.payload["refusal"], answer.payload["data"]) == ("UNSUPPORTED", {"type": f"{event} 1"})
    assert len(here.entries()) == before + 1


def test_release_of_what_the_plant_never_held_then_rejected(hub: Hub, here: Plant) -> None:
    code = here.receive()
    hub.directs(here, "ReleaseDirected", {"hold": "h", "batches": [{"id": None, "code": code}], "reason": "r"})
    hub.tells(here)
    answer = answer_next(here)
    assert (answer.payload["refusal"], answer.payload["data"]) == ("HOLD_UNKNOWN", {"batch": code, "hold": "h"})


def test_hub_restored_and_its_directives_handed_back_then_the_same_holds_in_its_view(
    hub: Hub, here: Plant, there: Plant, tmp_path: Path
) -> None:
    code = shared(here, there)
    hears(hub, here, there)
    directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    for plant in (here, there):
        obeys(hub, plant)
    digests = table_digests(hub.store)
    store = Store(migrated_file(tmp_path / "again.db"))
    carry(hub.store, store, 0, apply=True)
    for plant in (here, there):
        carry(plant.store, store, plant.number, apply=True)
        carry(plant.store, store, -plant.number, apply=True)  # the plant's copy of what the hub wrote
    assert table_digests(store) == digests
    restored = Hub(store)
    for plant in (here, there):
        restored.tells(plant)
        assert pending(plant) is None
    store.close()


def follows(hub: Hub, at: Plant) -> list[tuple[int, str]]:
    with hub.store.transaction() as session:
        return [(one.envelope["plant"], one.envelope["actor"]) for one in follow_goods(session, now=at.clock.now())]


def test_goods_sent_off_before_the_hub_heard_of_it_then_the_hold_is_sent_after_them_once(
    hub: Hub, here: Plant, there: Plant
) -> None:
    code, other = here.receive(), here.receive()
    hub.hears(here)
    (hold,) = directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    (recall,) = directs(hub, direct_recall, RecallDirection((other,), "Salmonella"), here)
    directs(hub, direct_hold, HoldDirection(code, "Here alone", plants=("SH1",)), here)
    (lifted,) = directs(hub, direct_hold, HoldDirection(code, "Mistaken"), here)
    directs(hub, direct_release, ReleaseDirection(lifted.payload["hold"], "Mistaken"), here)
    assert follows(hub, here) == []
    trucks = [send(here, one, "40") for one in (code, other)]
    obeys(hub, here)
    assert follows(hub, here) == [(-2, "person-9"), (-2, "person-9")]
    assert follows(hub, here) == []
    obeys(hub, there)
    for sent in trucks:
        receive(there, sent, here)
    assert {(kind, held) for kind, _, _, held, _ in holds(there)} == {
        ("QUALITY", hold.payload["hold"]), ("RECALL", recall.payload["recall"]),
    }  # fmt: skip
    cannot_use(there, code)
    directs(hub, direct_release, ReleaseDirection(hold.payload["hold"], "Was sugar"), here)
    assert obeys(hub, there).type == "DirectiveApplied"
    use(there, code)
    cannot_use(there, other)


def test_moved_before_it_heard_then_the_hold_met_the_later_version(hub: Hub, here: Plant) -> None:
    code = here.receive()
    hub.hears(here)
    directs(hub, direct_hold, HoldDirection(code, "Glass"), here)
    moved = here.do(move_batch, Move(code, "A1", "B1", "5", "KGM"))
    assert obeys(hub, here).payload["met_version"] == moved.index
    assert here.stock() == {(code, "A1"): "95", (code, "B1"): "5"}
