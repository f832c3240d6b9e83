"""Many rows in one save: each is recorded once and has its own result, however often the work is interrupted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.database import Session
from infra.ids import new_id
from plants.commands.materials.changes import Change, MasterChange, MaterialChange, UnitChange
from plants.commands.materials.definitions import define_material
from plants.commands.materials.saves import KEPT_FOR, PORTION, ROWS_MAX, Rows, advance_save, begin_save
from plants.rules.ledger.events import Entry
from plants.rules.ledger.refusals import REQUEST_REUSED
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.refusals import ROW_REPEATED
from plants.rules.materials.saves import OnRefusal, RowOutcome, SaveState
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.values.actors import Author
from plants.rules.values.refusals import LINES_INVALID, TEXT_INVALID, UNIT_UNKNOWN, Refusal
from plants.store.materials.saves import Save, SaveRow, read_refusal, unfinished_save
from tests.factories import MANAGER, Plant

SIZE = 2 * PORTION + 30
BAD = {3: UNIT_UNKNOWN, PORTION: TEXT_INVALID, SIZE - 1: UNIT_UNKNOWN}


def rows(on_refusal: OnRefusal, *, wrong: bool = True) -> Rows:
    """Return materials, some of them wrong."""
    made: list[Change] = []
    for index in range(SIZE):
        one = MaterialChange(f"MAT-{index:04}", f"Material 物料 {index}", "KGM", 10, conversions=(("BG", "25"),))
        bad = BAD.get(index) if wrong else None
        if bad is UNIT_UNKNOWN:
            one = replace(one, unit="STONE")
        elif bad is TEXT_INVALID:
            one = replace(one, name=" ")
        made.append(one)
    return Rows(MATERIAL, tuple(made), on_refusal)


def unchecked(_session: Session, _author: Author) -> None:
    """Accept any author."""


def begun(plant: Plant, said: Rows, request: str, *, validates: bool = False) -> str:
    with plant.store.transaction() as session:
        return begin_save(session, said, actor=plant.actor, call=plant.call(request=request), validates=validates)


def advanced(plant: Plant, save: str | None = None) -> bool:
    with plant.store.transaction() as session:
        return advance_save(session, plant.number, plant.clock.now(), save, check=unchecked)


def finished(plant: Plant, said: Rows, request: str, *, validates: bool = False) -> Save:
    save = begun(plant, said, request, validates=validates)
    while advanced(plant, save):
        pass
    return save_of(plant, save)


def save_of(plant: Plant, save: str) -> Save:
    with plant.store.transaction() as session:
        found = session.get(Save, save)
        assert found is not None
        return found


def results(plant: Plant, save: str) -> list[SaveRow]:
    with plant.store.transaction() as session:
        found = [session.get(SaveRow, (save, place)) for place in range(SIZE)]
        return [one for one in found if one is not None]


def numbers(save: Save) -> tuple[int, ...]:
    """Return recorded, unchanged, refused, rejected and not run rows, after checking that they are all."""
    found = save.recorded, save.unchanged, save.refused, save.rejected, save.not_run
    assert sum(found) == save.size
    return found


def entries_of_rows(plant: Plant) -> list[Entry]:
    return [entry for entry in plant.entries() if entry.envelope["key"].startswith("MAT-")]


def recorded(plant: Plant) -> list[str]:
    """Return the codes of the rows that the ledger states, one for each entry."""
    return [entry.payload["code"] for entry in entries_of_rows(plant)]


def test_rows_skipped_then_the_others_are_recorded_and_each_refusal_has_its_place(plant: Plant) -> None:
    save = finished(plant, rows(OnRefusal.SKIP_ROW), new_id())

    assert (save.state, save.done, save.recorded, save.refused) == (SaveState.DONE, SIZE, SIZE - len(BAD), len(BAD))
    found = results(plant, save.id)
    refused = {one.number: read_refusal(one.refusal) for one in found if one.refusal is not None}
    assert {place: one.code for place, one in refused.items() if one is not None} == BAD
    places = {place: one.path for place, one in refused.items() if one is not None}
    fields = {UNIT_UNKNOWN: "unitCode", TEXT_INVALID: "name"}
    assert places == {place: ("rows", str(place), fields[code]) for place, code in BAD.items()}
    assert {one.outcome for one in found if one.number not in BAD} == {RowOutcome.RECORDED}
    assert recorded(plant) == [f"MAT-{index:04}" for index in range(SIZE) if index not in BAD]
    indexes = [one.entry_idx for one in found if one.entry_idx is not None]
    assert indexes == [entry.index for entry in entries_of_rows(plant)]


def test_one_refused_of_all_then_nothing_changes(plant: Plant) -> None:
    before = plant.everything()

    save = finished(plant, rows(OnRefusal.REJECT_ALL), new_id())

    assert plant.everything() == before
    assert (save.state, save.done, save.recorded, save.refused) == (SaveState.DONE, SIZE, 0, len(BAD))
    outcomes = {one.number: one.outcome for one in results(plant, save.id)}
    assert outcomes == {n: RowOutcome.REFUSED if n in BAD else RowOutcome.REJECTED for n in range(SIZE)}


def test_all_in_order_then_all_are_recorded_together(plant: Plant) -> None:
    save = finished(plant, rows(OnRefusal.REJECT_ALL, wrong=False), new_id())

    assert (save.recorded, save.refused) == (SIZE, 0)
    assert len(recorded(plant)) == SIZE


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_interrupted_and_sent_again_then_each_row_is_recorded_once(plant: Plant, turns: int) -> None:
    said, request = rows(OnRefusal.SKIP_ROW), new_id()
    save = begun(plant, said, request)
    for _ in range(turns):
        assert advanced(plant, save)

    class Killed(Exception):
        """The process ends within a portion."""

    def killed() -> None:
        with plant.store.transaction() as session:
            advance_save(session, plant.number, plant.clock.now(), save, check=unchecked)
            raise Killed

    with pytest.raises(Killed):
        killed()
    assert save_of(plant, save).done == turns * PORTION

    again = finished(plant, said, request)
    assert again.id == save
    assert len(recorded(plant)) == len(set(recorded(plant))) == SIZE - len(BAD)
    before = plant.everything()
    assert finished(plant, said, request).id == save
    assert plant.everything() == before


def test_request_id_of_other_rows_then_refused(here: Plant) -> None:
    request = new_id()
    begun(here, rows(OnRefusal.SKIP_ROW), request)
    before = here.everything()

    for other in (rows(OnRefusal.REJECT_ALL), rows(OnRefusal.SKIP_ROW, wrong=False)):
        with pytest.raises(Refusal) as caught:
            begun(here, other, request)
        assert (caught.value.code, caught.value.path) == (REQUEST_REUSED, ("requestId",))
    assert here.everything() == before


def test_request_id_by_another_person_or_with_another_reason_or_time_then_refused(here: Plant) -> None:
    def begun_by(actor: Author, reason: str, hours: int) -> str:
        occurred = here.clock.now() - timedelta(hours=hours)
        call = here.call(request=request, occurred_at=occurred, reason=reason)
        with here.store.transaction() as session:
            return begin_save(session, rows(OnRefusal.SKIP_ROW), actor=actor, call=call)

    request = new_id()
    save = begun_by(here.actor, "New prices", 1)
    before = here.everything()

    for actor, reason, hours in (
        (MANAGER, "New prices", 1),
        (here.actor, "Old prices", 1),
        (here.actor, "New prices", 2),
    ):
        with pytest.raises(Refusal) as caught:
            begun_by(actor, reason, hours)
        assert (caught.value.code, caught.value.path) == (REQUEST_REUSED, ("requestId",))
    assert here.everything() == before
    assert begun_by(here.actor, "New prices", 1) == save


def test_number_of_rows_wrong_then_refused(here: Plant) -> None:
    change = MaterialChange("M-1", "One", "KGM")
    for count in (0, ROWS_MAX + 1):
        with pytest.raises(Refusal) as caught:
            begun(here, Rows(MATERIAL, (change,) * count, OnRefusal.SKIP_ROW), new_id())
        assert (caught.value.code, caught.value.path) == (LINES_INVALID, ("rows",))


def test_row_as_it_is_then_unchanged_and_no_reason_to_reject(here: Plant) -> None:
    changes = (
        MasterChange(MasterKind.LOCATION, "A1", "Cold store 冷库"),
        MasterChange(MasterKind.LOCATION, "A9", "New"),
    )

    save = finished(here, Rows("LOCATION", changes, OnRefusal.REJECT_ALL), new_id())

    assert (save.recorded, save.unchanged, save.refused) == (1, 1, 0)


def test_units_then_their_fields_are_kept_until_they_are_run(here: Plant) -> None:
    finished(here, Rows("UNIT", (UnitChange("BAG", "Bag", "KGM", "25"),), OnRefusal.SKIP_ROW), new_id())
    finished(here, Rows("UNIT", (UnitChange("BAG", factor="1/3"),), OnRefusal.SKIP_ROW), new_id())
    cleared = UnitChange("BAG", cleared=frozenset({"name"}))
    save = finished(here, Rows("UNIT", (cleared,), OnRefusal.SKIP_ROW), new_id())

    assert here.rows("SELECT name, detail FROM master_records WHERE code = 'BAG'") == [
        ("Bag", '{"factor":"1/3","of":"KGM"}')
    ]
    assert (save.recorded, save.refused) == (0, 1)


@pytest.mark.parametrize("on_refusal", OnRefusal)
@pytest.mark.parametrize("wrong", [True, False])
def test_validated_then_each_row_has_the_result_of_the_save_and_nothing_is_recorded(
    here: Plant, on_refusal: OnRefusal, *, wrong: bool
) -> None:
    request, before = new_id(), here.everything()

    validated = finished(here, rows(on_refusal, wrong=wrong), request, validates=True)

    assert here.everything() == before
    validated_rows = [(one.outcome, one.refusal) for one in results(here, validated.id)]
    assert {one.entry_idx for one in results(here, validated.id)} == {None}
    save = finished(here, rows(on_refusal, wrong=wrong), request)
    assert save.id != validated.id, "the request id was still unused"
    assert [(one.outcome, one.refusal) for one in results(here, save.id)] == validated_rows
    assert numbers(save) == numbers(validated)


def test_validated_after_the_save_then_the_answer_is_that_save(here: Plant) -> None:
    said, request = rows(OnRefusal.SKIP_ROW), new_id()
    save = finished(here, said, request)
    before = here.everything()

    assert begun(here, said, request, validates=True) == save.id
    with pytest.raises(Refusal) as caught:
        begun(here, rows(OnRefusal.SKIP_ROW, wrong=False), request, validates=True)
    assert caught.value.code == REQUEST_REUSED
    assert here.everything() == before


KINDS: dict[str, tuple[Change, Change]] = {
    MATERIAL: (MaterialChange("N-1", "One", "KGM"), MaterialChange("N-1", "Two", "KGM")),
    "UNIT": (UnitChange("N-1", "One", "KGM", "2"), UnitChange("N-1", "Two", "KGM", "3")),
    **{
        kind.value: (MasterChange(kind, "N-1", "One"), MasterChange(kind, "N-1", "Two"))
        for kind in MasterKind
        if kind is not MasterKind.UNIT
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_code_twice_then_the_later_row_is_refused(here: Plant, kind: str) -> None:
    first, later = KINDS[kind]
    before = len(here.entries())

    save = finished(here, Rows(kind, (first, later, later), OnRefusal.SKIP_ROW), new_id())

    assert numbers(save) == (1, 0, 2, 0, 0)
    (entry,) = here.entries()[before:]
    assert entry.payload["name"] == "One"
    refusals = [read_refusal(one.refusal) for one in results(here, save.id) if one.refusal is not None]
    assert [None if one is None else (one.code, one.data["first"], one.path) for one in refusals] == [
        (ROW_REPEATED, "0", ("rows", str(number), "code")) for number in (1, 2)
    ]


def test_code_twice_in_different_portions_and_all_are_to_be_rejected_then_nothing_changes(plant: Plant) -> None:
    said, before = rows(OnRefusal.REJECT_ALL, wrong=False), plant.everything()
    said = replace(said, changes=(*said.changes[:-1], said.changes[PORTION - 1]))

    save = finished(plant, said, new_id())

    assert plant.everything() == before
    assert numbers(save) == (0, 0, 1, SIZE - 1, 0)
    (repeated,) = [one for one in results(plant, save.id) if one.outcome is RowOutcome.REFUSED]
    assert repeated.repeats == PORTION - 1


def test_request_id_of_a_save_then_no_command_may_use_it(plant: Plant) -> None:
    request = new_id()
    finished(plant, rows(OnRefusal.SKIP_ROW), request)
    plant.clock.advance(days=KEPT_FOR.days + 1)
    begun(plant, rows(OnRefusal.SKIP_ROW), new_id())  # deletes the rows of the first

    refusal = plant.refusal(define_material, MaterialChange("N-1", "One", "KGM"), request=request)

    assert (refusal.code, refusal.path) == (REQUEST_REUSED, ("requestId",))


def test_request_id_of_a_command_then_no_save_may_use_it(plant: Plant) -> None:
    request = new_id()
    plant.do(define_material, MaterialChange("N-1", "One", "KGM"), request=request)
    before = plant.everything(), plant.rows("SELECT count(*) FROM saves")

    for validates in (False, True):
        with pytest.raises(Refusal) as caught:
            begun(plant, rows(OnRefusal.SKIP_ROW), request, validates=validates)
        assert (caught.value.code, caught.value.path) == (REQUEST_REUSED, ("requestId",))
    assert (plant.everything(), plant.rows("SELECT count(*) FROM saves")) == before


@pytest.mark.parametrize("on_refusal, recorded", [(OnRefusal.SKIP_ROW, PORTION - 1), (OnRefusal.REJECT_ALL, 0)])
def test_author_may_no_longer_save_then_the_save_stops_and_the_rows_say_so(
    plant: Plant, on_refusal: OnRefusal, recorded: int
) -> None:
    save = begun(plant, rows(on_refusal), new_id())
    if recorded:
        assert advanced(plant, save)
    before = plant.everything()

    def refuse(_session: Session, author: Author) -> None:
        assert author.person == plant.actor.person
        raise Refusal(NOT_PERMITTED)

    with plant.store.transaction() as session:
        advance_save(session, plant.number, plant.clock.now(), save, check=refuse)
    assert not advanced(plant, save)

    assert plant.everything() == before
    stopped, found = save_of(plant, save), results(plant, save)
    done = PORTION if recorded else 0
    assert stopped.state is SaveState.STOPPED
    assert numbers(stopped)[0] == recorded
    assert numbers(stopped)[4] == SIZE - done
    assert {one.outcome for one in found[done:]} == {RowOutcome.NOT_RUN}
    kept = [read_refusal(one.refusal or "") for one in found[done:]]
    assert {None if one is None else one.code for one in kept} == {NOT_PERMITTED}


def test_finished_long_ago_then_its_rows_are_forgotten(here: Plant) -> None:
    save = finished(here, rows(OnRefusal.SKIP_ROW), new_id())
    waiting = begun(here, rows(OnRefusal.SKIP_ROW), new_id())
    validation = finished(here, rows(OnRefusal.SKIP_ROW), new_id(), validates=True)
    here.clock.advance(days=KEPT_FOR.days + 1)
    begun(here, rows(OnRefusal.SKIP_ROW), new_id())

    assert here.rows("SELECT count(*) FROM saves WHERE id = :s", s=validation.id) == [(0,)]
    assert numbers(save_of(here, save.id)) == numbers(save)
    assert here.rows("SELECT count(*) FROM save_rows WHERE save_id = :s", s=save.id) == [(0,)]
    assert save_of(here, waiting).state is SaveState.WAITING
    with here.store.reading() as reads:
        assert unfinished_save(reads, here.number)
