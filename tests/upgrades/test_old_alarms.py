"""Upgrades a store whose alarms have texts only: they are shown as they are, and raised again with code and data."""

from contextlib import closing
from pathlib import Path

import pytest
from alembic import command

from infra.clock import SystemClock
from infra.database import Session, Store
from infra.messages import Notice
from infra.postgres import EmbeddedPostgres
from migrations import config, head, revision, upgrade
from plants.rules.values.instants import from_micros
from plants.rules.values.scope import PlantScope
from plants.store.monitoring.alarms import Alarm, AlarmKind, alarms, raise_alarm
from plants.store.monitoring.overview import AlarmSeen, alarms_seen
from plants.store.replication import status
from sync_jobs.hub.transfer_checks import SKEWED
from tests.databases import fresh_database

BEFORE = "0002"
ORIGIN = "acme.example/plant/SH1/i1"
OLD_ALARM = "The clock is wrong. / 时钟有误。"
OLD_REASON = "Another ledger. / 账本不一致。"


def fill(session: Session) -> None:
    session.run(
        "INSERT INTO alarms (kind, about, text, first_us, last_us, times)"
        " VALUES ('CLOCKS_DIFFER', :about, :text, 1, 2, 3)",
        {"about": ORIGIN, "text": OLD_ALARM},
    )
    session.run(
        "INSERT INTO replication (log_id, state, acknowledged, frontier, attempts, backoff_ms, next_attempt_us,"
        " batch_entries, take_over, alarm, alarm_us) VALUES (1, 'DIVERGED', 0, :nothing, 0, 0, 0, 0, 0, :text, 5)",
        {"text": OLD_REASON, "nothing": b""},
    )


def seen(store: Store) -> dict[str, AlarmSeen]:
    with store.reading() as reads:
        return {one.kind: one for one in alarms_seen(reads, PlantScope(frozenset({0, 1})))}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_old_alarms_then_they_keep_their_text_and_new_ones_have_code_and_data(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    if kind == "postgresql":
        server = request.getfixturevalue("postgres_18")
        assert isinstance(server, EmbeddedPostgres)
        url = fresh_database(server)
    now = SystemClock().now()
    with closing(Store(url)) as store:
        command.upgrade(config(store), BEFORE)
        with store.transaction() as session:
            fill(session)
        upgrade(store)

        assert revision(store) == head() > BEFORE
        old = seen(store)
        for language in ("en", "zh"):
            assert old["CLOCKS_DIFFER"].said.word(language) == OLD_ALARM
            assert old["LEDGER_DIVERGED"].said.word(language) == OLD_REASON
        assert (old["CLOCKS_DIFFER"].first_at, old["CLOCKS_DIFFER"].last_at) == (from_micros(1), from_micros(2))
        assert old["CLOCKS_DIFFER"].times == 3

        with store.transaction() as session:
            raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, ORIGIN, SKEWED(seconds=-70)), now)
            status.amend(session, 1, **status.alarm_columns(Notice("TEST", "Look at {what}.", {"what": "it"}), now))
        new = seen(store)
        assert new["CLOCKS_DIFFER"].said.word("zh") == "该工厂时钟比总部快 -70 秒（负数为慢），请校准。"
        assert (new["CLOCKS_DIFFER"].first_at, new["CLOCKS_DIFFER"].times) == (from_micros(1), 4)
        assert new["LEDGER_DIVERGED"].said.word("en") == "Look at it."
        with store.transaction() as session:
            status.amend(session, 1, **status.NO_ALARM)
        with store.reading() as reads:
            (row,) = alarms(reads)
            assert (row.code, row.data) == ("CLOCK_SKEWED", {"seconds": "-70"})
            assert reads.rows("SELECT data FROM alarms") == [('{"seconds": "-70"}',)]
        assert set(seen(store)) == {"CLOCKS_DIFFER"}
