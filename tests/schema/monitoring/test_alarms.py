"""Alarms over GraphQL: each once, and visible only with access to its plant."""

from auth.actors import Actor, Role
from infra.database import Session
from infra.messages import DATUM_LENGTH_MAX, Language, Notice, word
from plants.store.monitoring.alarms import TEXT_LENGTH_MAX, Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from schema.engine.node_ids import node_id
from sync_jobs.hub.transfer_checks import LEADING, OTHERS, SKEWED
from tests.factories import Plant
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, Served, person
from tests.schema.group import Group, chain

QUERY = """query($filter: AlarmFilter, $order: AlarmOrder, $first: Int, $after: String) {
  alarms(filter: $filter, orderBy: $order, first: $first, after: $after) { totalCount
    pageInfo { endCursor hasNextPage } nodes { id kind about message times active endedAt plant { code } } } }"""
BRIEFLY = "{ alarms(filter: { active: true }) { nodes { kind about times } } }"
ACTIVE = {"active": True}
HERE, THERE = "acme.example/plant/SH1/i1", "acme.example/plant/NB1/i1"
CLOCK_WRONG = Notice("TEST", "Set the clock of the plant.")
SH1_MANAGER = person(11, (1, Role.MANAGER))
ADMINISTRATOR = person(12, (0, Role.ADMINISTRATOR))


async def brief(node: Served, actor: Actor = MANAGER) -> list[JSON]:
    return list((await node.ask(actor, BRIEFLY))["alarms"]["nodes"])


async def shown(node: Served, language: Language = "en", **given: object) -> list[JSON]:
    answer = await node.answer(MANAGER, QUERY, language, **given)
    return list(answer["data"]["alarms"]["nodes"])


def raised(kind: AlarmKind, about: str, times: int = 1) -> dict[str, object]:
    return {"kind": kind.value, "about": about, "times": times}


async def test_alarm_then_counted_ended_and_kept(node: Served, here: Plant) -> None:
    alarm, now = Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, CLOCK_WRONG), here.clock.now()
    for times in (1, 4):
        with here.store.transaction() as session:
            raise_alarm(session, alarm, now, times=times)
    assert await brief(node) == [raised(AlarmKind.CLOCKS_DIFFER, here.origin, 5)]
    with here.store.transaction() as session:
        assert end_alarm(session, alarm.kind, alarm.about, now)
        assert not end_alarm(session, alarm.kind, alarm.about, now)
    assert await brief(node) == []
    (over,) = await shown(node)
    assert (over["times"], over["message"], over["endedAt"] is None) == (5, "Set the clock of the plant.", False)
    assert over["active"] is False
    assert (await shown(node, filter=ACTIVE), await shown(node, filter={"active": False})) == ([], [over])
    with here.store.transaction() as session:
        raise_alarm(session, alarm, now)
    assert await brief(node) == [raised(AlarmKind.CLOCKS_DIFFER, here.origin)]


async def test_alarm_of_a_newer_program_then_it_is_listed_beside_the_others(node: Served, here: Plant) -> None:
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, CLOCK_WRONG), here.clock.now())
        session.run(
            "INSERT INTO alarms (kind, about, text, first_us, last_us, times)"
            " SELECT 'SCALE_DRIFTS', about, 'Check the scale.', first_us, last_us, 2 FROM alarms"
        )
    listed = await shown(node)
    assert [(one["kind"], one["message"]) for one in listed] == [
        ("SCALE_DRIFTS", "Check the scale."),
        ("CLOCKS_DIFFER", "Set the clock of the plant."),
    ]


async def test_kind_that_this_program_does_not_know_then_found_where_there_is_one(node: Served, here: Plant) -> None:
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, CLOCK_WRONG), here.clock.now())
    for test in ({"eq": "unknown"}, {"in": ["unknown", "NEWER_KIND"]}, {"beginsWith": "NEWER"}):
        assert await shown(node, filter={"kind": test}) == []
    absent = node_id("alarm", "NEWER_KIND", here.origin)
    assert await node.ask(MANAGER, "query($id: ID!) { node(id: $id) { id } }", id=absent) == {"node": None}
    with here.store.transaction() as session:
        session.run("UPDATE alarms SET kind = 'NEWER_KIND'")
    for test in ({"eq": "NEWER_KIND"}, {"in": ["unknown", "NEWER_KIND"]}, {"beginsWith": "NEWER"}):
        (found,) = await shown(node, filter={"kind": test})
        assert (found["kind"], found["id"]) == ("NEWER_KIND", absent)
    assert await node.ask(MANAGER, "query($id: ID!) { node(id: $id) { id } }", id=absent) == {"node": {"id": absent}}


async def test_alarm_with_long_data_then_text_and_data_are_cut(node: Served, here: Plant) -> None:
    now, said = here.clock.now(), SKEWED(seconds="9" * 100_000)
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, said), now)
        status.amend(session, here.number, **status.alarm_columns(said, now))
        columns = session.rows("SELECT text, data FROM alarms")
        columns += session.rows("SELECT alarm, alarm_data FROM replication WHERE alarm IS NOT NULL")
    assert len(columns) == 2
    for text, data in columns:
        assert len(text) <= TEXT_LENGTH_MAX
        assert len(data) < 2 * DATUM_LENGTH_MAX
        assert "9…" in data
    (one,) = [one["message"] for one in await shown(node, "zh") if one["kind"] == "CLOCKS_DIFFER"]
    assert one == word(SKEWED(seconds="9" * (DATUM_LENGTH_MAX - 1) + "…"), "zh")


async def test_alarm_then_it_is_worded_in_the_language_of_the_reader(node: Served, here: Plant) -> None:
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, SKEWED(seconds=90)), here.clock.now())
        session.run(
            "INSERT INTO alarms (kind, about, text, first_us, last_us, times)"
            " VALUES ('MARKS_LOST', :about, 'Marks are gone. / 标记缺失。', 1, 1, 1)",
            {"about": here.origin},
        )
    texts = {}
    for language in ("en", "zh"):
        texts[language] = {one["kind"]: one["message"] for one in await shown(node, language)}
    assert texts["en"]["CLOCKS_DIFFER"].startswith("The clock of the plant is 90 s ahead")
    assert texts["zh"]["CLOCKS_DIFFER"] == "该工厂时钟比总部快 90 秒（负数为慢），请校准。"
    older = "Marks are gone. / 标记缺失。"
    assert texts["en"]["MARKS_LOST"] == texts["zh"]["MARKS_LOST"] == older, "of a program that kept texts only"


async def test_alarm_raised_again_with_other_data_then_the_newest_data_in_every_language(
    node: Served, here: Plant
) -> None:
    for seconds in (90, 120):
        said = SKEWED(seconds=seconds)
        with here.store.transaction() as session:
            raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, said), here.clock.now())
        for language in ("en", "zh"):
            assert [one["message"] for one in await shown(node, language)] == [word(said, language)]
    # Another message of the same kind and subject replaces the first one with its code.
    said = LEADING(seconds=75)
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, said), here.clock.now())
    for language in ("en", "zh"):
        assert [one["message"] for one in await shown(node, language)] == [word(said, language)]


async def test_stopped_replication_then_an_alarm_without_a_row_of_its_own(node: Served, here: Plant) -> None:
    def stop(session: Session) -> None:
        status.ledger_status(session, here.number)
        given = status.alarm_columns(CLOCK_WRONG, here.clock.now())
        status.amend(session, here.number, state=ReplicationState.DIVERGED, **given)

    with here.store.transaction() as session:
        stop(session)
    alike = raised(AlarmKind.LEDGER_DIVERGED, here.origin)
    assert await brief(node) == [alike]
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.LEDGER_DIVERGED, here.origin, CLOCK_WRONG), here.clock.now(), times=3)
    assert await brief(node) == [{**alike, "times": 3}]


async def test_stopped_for_a_reason_that_has_an_alarm_of_its_own_then_one_alarm(node: Served, here: Plant) -> None:
    said, now = Notice("TEST_DAMAGED", "Entry {index} is not what was hashed.", {"index": 3}), here.clock.now()
    with here.store.transaction() as session:
        status.ledger_status(session, here.number)
        status.amend(session, here.number, state=ReplicationState.REFUSED, **status.alarm_columns(said, now))
        raise_alarm(session, Alarm(AlarmKind.LEDGER_DAMAGED, here.origin, said), now)
    assert await brief(node) == [raised(AlarmKind.LEDGER_DAMAGED, here.origin)]
    with here.store.transaction() as session:
        status.amend(
            session, here.number, **status.alarm_columns(Notice("TEST_REFUSED", "The hub refused: 403 X."), now)
        )
    kinds = {one["kind"] for one in await brief(node)}
    assert kinds == {"LEDGER_DAMAGED", "REPLICATION_REFUSED"}, "two facts are two"


async def test_alarms_then_only_for_those_who_watch_replication(node: Served, here: Plant) -> None:
    with here.store.transaction() as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, CLOCK_WRONG), here.clock.now())
    for other in (OPERATOR, person(13, (2, Role.MANAGER))):
        assert await node.refuses(other, BRIEFLY) == ["alarms"]
    for one in (AUDITOR, ADMINISTRATOR):
        assert len(await brief(node, one)) == 1


async def test_hub_then_each_plants_people_see_what_is_about_their_plant(hub: Served, group: Group) -> None:
    now = group.here.clock.now()
    abouts = (HERE, f"{HERE}#7", f"{HERE}2", THERE, "not recognised")
    with group.hub.store.transaction() as session:
        for about in abouts:
            raise_alarm(session, Alarm(AlarmKind.REPLICATION_REFUSED, about, CLOCK_WRONG), now)
        session.run(
            "INSERT INTO projection_faults (log_id, idx, key, type, error, attempts, parked_us)"
            " VALUES (2, 3, 'K', 'T', 'no such thing', 1, 0), (2, 4, 'K', 'T', NULL, 0, 0)"
        )
    seen = {one["about"] for one in await brief(hub, DIRECTOR)}
    assert seen == set(abouts)
    assert raised(AlarmKind.ENTRY_PARKED, THERE) in await brief(hub, DIRECTOR)
    seen = {one["about"] for one in await brief(hub, SH1_MANAGER)}
    assert seen == {HERE, f"{HERE}#7"}
    assert (await hub.ask(SH1_MANAGER, QUERY))["alarms"]["totalCount"] == 2
    for wanted, expected in (
        ({"plantCode": {"eq": "SH1"}}, {HERE, f"{HERE}#7"}),
        ({"plantCode": {"eq": "XX9"}}, set()),
        ({"kind": {"eq": "ENTRY_PARKED"}}, {THERE}),
        ({"kind": {"in": ["ENTRY_PARKED", "REPLICATION_REFUSED"]}, "plantCode": {"eq": "NB1"}}, {THERE}),
        ({"lastAt": {"before": "1971-01-01T00:00:00Z"}}, {THERE}),
        ({"firstAt": {"from": "2100-01-01T00:00:00Z"}}, set()),
    ):
        found = (await hub.ask(DIRECTOR, QUERY, filter=wanted))["alarms"]
        assert {one["about"] for one in found["nodes"]} == expected, wanted
        assert found["totalCount"] == len(found["nodes"])
    codes = {one["about"]: one["plant"] for one in (await hub.ask(DIRECTOR, QUERY))["alarms"]["nodes"]}
    assert (codes[f"{HERE}#7"], codes[f"{HERE}2"], codes[THERE]) == ({"code": "SH1"}, None, {"code": "NB1"})


async def test_alarm_seen_again_then_filtered_by_its_first_and_by_its_last_time(node: Served, here: Plant) -> None:
    alarm = Alarm(AlarmKind.CLOCKS_DIFFER, here.origin, CLOCK_WRONG)
    for hours in (0, 1):
        with here.store.transaction() as session:
            raise_alarm(session, alarm, here.clock.advance(hours=hours))
    between, after = "2026-03-14T08:30:00Z", "2026-03-14T09:30:00Z"
    for wanted, found in (
        ({"firstAt": {"before": between}}, True),
        ({"firstAt": {"from": between, "before": after}}, False),
        ({"lastAt": {"from": between, "before": after}}, True),
        ({"lastAt": {"before": between}}, False),
    ):
        assert (wanted, len(await shown(node, filter=wanted))) == (wanted, int(found))


async def test_pages_then_each_alarm_once_stored_or_not_in_either_order(hub: Served, group: Group) -> None:
    with group.hub.store.transaction() as session:
        for number in range(5):
            alarm = Alarm(AlarmKind.REPLICATION_REFUSED, f"{HERE}#{number}", CLOCK_WRONG)
            raise_alarm(session, alarm, group.here.clock.advance(minutes=1))
        parked = int(group.here.clock.now().timestamp() * 1_000_000) - 150_000_000
        session.run(
            "INSERT INTO projection_faults (log_id, idx, key, type, error, attempts, parked_us)"
            " VALUES (2, 3, 'K', 'T', 'no such thing', 1, :at)",
            {"at": parked},
        )
    expected = [f"{HERE}#0", f"{HERE}#1", f"{HERE}#2", f"{HERE}#3", f"{HERE}#4"]
    expected.insert(2, THERE)
    found: list[JSON] = []
    for direction, abouts in (("ASCENDING", expected), ("DESCENDING", expected[::-1]), (None, expected[::-1])):
        order = None if direction is None else {"field": "LAST_AT", "direction": direction}
        found, after, more = [], None, True
        while more:
            page = (await hub.ask(DIRECTOR, QUERY, order=order, first=2, after=after))["alarms"]
            found += page["nodes"]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            assert page["totalCount"] == 6
        assert [one["about"] for one in found] == abouts
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    ids = [one["id"] for one in found]
    assert await hub.ask(DIRECTOR, document, ids=ids) == {"nodes": [{"id": one} for one in ids]}
    seen = [{"id": one["id"]} if one["about"] != THERE else None for one in found]
    assert await hub.ask(SH1_MANAGER, document, ids=ids) == {"nodes": seen}


async def test_status_then_failures_and_what_waits_are_in_it(node: Served, here: Plant) -> None:
    with here.store.transaction() as session:
        status.ledger_status(session, here.number)
        following = here.clock.advance(seconds=30)
        status.amend(
            session, here.number, state=ReplicationState.UNREACHABLE, error="ConnectError", attempts=4,
            next_attempt_at=following, acknowledged=2,
        )  # fmt: skip
        (size,) = session.row("SELECT size FROM logs WHERE log_id = 1") or (0,)
        session.run("UPDATE logs SET fenced = 1 WHERE log_id = 1")
    query = "{ plants { replication { waiting error attempts nextAttemptAt fenced conflicting } } }"
    assert (await node.ask(MANAGER, query))["plants"] == [
        {
            "replication": {
                "waiting": size - 2,
                "error": "ConnectError",
                "attempts": 4,
                "nextAttemptAt": "2026-03-14T08:00:30.000000Z",
                "fenced": True,
                "conflicting": 0,
            }
        }
    ]


async def test_alarm_about_a_transfer_then_its_subject_is_the_transfer(group: Group, hub: Served) -> None:
    transfer, now = chain(group).transfer, group.here.clock.now()
    with group.hub.store.transaction() as session:
        for about in (str(transfer), OTHERS, "7", "9" * 40):
            raise_alarm(session, Alarm(AlarmKind.TRANSFER_UNMATCHED, about, CLOCK_WRONG), now)
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, str(transfer), CLOCK_WRONG), now)
    document = "{ alarms { nodes { kind about subject { __typename id } } } }"
    found = (await hub.ask(AUDITOR, document))["alarms"]["nodes"]
    shown = {(one["kind"], one["about"]): one["subject"] for one in found}
    assert {key: one for key, one in shown.items() if one is not None} == {
        ("TRANSFER_UNMATCHED", str(transfer)): {"__typename": "Transfer", "id": node_id("transfer", transfer)}
    }
    assert len(shown) == 5
