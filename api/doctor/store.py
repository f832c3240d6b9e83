"""Checks of a node's store: whose it is, its tables, its ledgers, and what they could not be applied for."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from api.doctor.findings import Finding, Level, Look, fine
from infra.database import ReadSession
from infra.high_water_marks import FILE_NAME as MARKS_FILE
from infra.high_water_marks import HighWaterMarks, MarksUnreadable
from infra.messages import word
from infra.roles import Role
from infra.store_faults import STORE_FAILURES, store_fault
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.store.ledger.mirrors import frontier_at
from plants.store.ledger.verification import verify

NEWEST: Final = 500  # entries of each ledger that are checked without --full
WAL_BYTES_MAX: Final = 256 * 1024 * 1024
LEASE_SECONDS_MAX: Final = 120
BEHIND_MAX: Final = 10_000  # entries that may wait for the tables while they catch up
MICROS: Final = 1_000_000
# More than any file of the database has room for that is not full to its last page.
TRY_WRITING: Final = (
    "CREATE TEMPORARY TABLE tried ON COMMIT DROP AS SELECT repeat('x', 1000) AS line FROM generate_series(1, 2000)"
)


def writing(look: Look) -> Iterable[Finding]:
    """Find a database that can be read and takes nothing: its disk is seen from its own machine alone."""
    if look.store.dialect != "postgresql":
        return
    try:
        with suppress(_TakenBack), look.store.transaction() as session:
            session.run(TRY_WRITING)
            raise _TakenBack
    except (DBAPIError, psycopg.Error) as error:
        fault = store_fault(error)
        if fault is None:
            raise
        yield Finding(
            Level.BROKEN,
            f"The store can be read and takes nothing: {word(STORE_FAILURES[fault](), 'en')}.",
            f"数据库可读但无法写入：{word(STORE_FAILURES[fault](), 'zh')}。",
            "Make room, or put right the disk, where the database keeps its files. Plants write on and send it later.",
            "请清理或修复数据库所在磁盘。工厂可继续录入，稍后自动补传。",
        )
    else:
        yield fine("The store takes what is written.", "数据库可写入。")


class _TakenBack(Exception):
    """What was tried is undone."""


def wal(look: Look) -> Iterable[Finding]:
    """Find a write-ahead log that no longer shrinks."""
    store = look.store
    if store.dialect != "sqlite":
        return
    path = Path(f"{store.engine.url.database}-wal")
    size = path.stat().st_size if path.exists() else 0
    if size > WAL_BYTES_MAX:
        yield Finding(
            Level.PERSON,
            f"The write-ahead log {path.name} has {size / 1e6:.0f} MB: some process keeps an old snapshot open.",
            f"预写日志 {path.name} 已达 {size / 1e6:.0f} MB：有进程长期占用旧快照。",
            "End the program that reads the store, then restart the node.",
            "结束占用数据库的程序，然后重启节点。",
        )
    else:
        yield fine("The write-ahead log is small.", "预写日志大小正常。")


def ledgers(look: Look) -> Iterable[Finding]:
    """Find a ledger that is damaged: its newest entries and its head, or with --full each entry."""
    if look.full:
        found = verify(look.store)
        for one in found:
            if not one.whole:
                yield _damaged(one.origin, word(one.finding, "en"), word(one.finding, "zh"))
        if all(one.whole for one in found):
            yield fine(f"{len(found)} ledgers were verified entry by entry.", f"已逐条验证 {len(found)} 个账本。")
        return
    with look.store.reading() as reads:
        logs = reads.rows("SELECT log_id, origin, size, frontier FROM logs ORDER BY log_id")
        looked = [(origin, _newest(reads, log_id, size, bytes(head))) for log_id, origin, size, head in logs]
    broken = [(origin, why) for origin, why in looked if why is not None]
    for origin, (en, zh) in broken:
        yield _damaged(origin, en, zh)
    if not broken:
        yield fine(
            f"The heads and the newest {NEWEST} entries of {len(logs)} ledgers fit together (--full checks each).",
            f"{len(logs)} 个账本的头部与最新 {NEWEST} 条记录相符（--full 逐条检查）。",
        )


def marks(look: Look) -> Iterable[Finding]:
    """Check that the high-water marks exist and do not exceed the store."""
    if look.settings.role is not Role.PLANT:
        return
    try:
        kept = HighWaterMarks.read((look.home / MARKS_FILE).read_bytes())
    except FileNotFoundError:
        yield Finding(
            Level.PERSON,
            f"The high-water marks {MARKS_FILE} are missing: a restore cannot be detected by them.",
            f"高水位标记 {MARKS_FILE} 丢失，无法据此发现恢复操作。",
            "It is made again when the node starts. If a backup was just restored, let the plant reach the hub first.",
            "节点启动时会重新生成；若刚恢复过备份，请先让工厂连上中心。",
        )
        return
    except MarksUnreadable as error:
        yield Finding(
            Level.PERSON,
            f"The high-water marks {MARKS_FILE} cannot be read: {error}.",
            f"高水位标记 {MARKS_FILE} 无法读取：{error}。",
            f"Move {look.home / MARKS_FILE} away; it is made again when the node starts.",
            f"移走 {look.home / MARKS_FILE}，节点启动时会重新生成。",
        )
        return
    with look.store.reading() as reads:
        rows = reads.rows("SELECT size FROM logs WHERE log_id = :log_id", {"log_id": look.number})
        size = rows[0][0] if rows else 0
        fits = kept.origin == look.settings.origin
        if fits and kept.root and kept.size <= size:
            fits = frontier_at(reads, look.number, kept.size).root().hex() == kept.root
    if kept.size > size or not fits:
        yield Finding(
            Level.BROKEN,
            f"The store has {size} entries of {look.settings.origin}, the high-water marks say {kept.size} of "
            f"{kept.origin}: an older or another database is in place.",
            f"数据库中有 {look.settings.origin} 的 {size} 条记录，高水位标记为 {kept.origin} 的 {kept.size} 条："
            "数据库较旧或属于其他工厂。",
            "If it was restored on purpose, start the plant: it repairs itself from the hub. Else bring the right one.",
            "若为有意恢复，启动工厂即可从中心自动修复；否则请换回正确的数据库。",
        )
    else:
        yield fine("The high-water marks agree with the ledger.", "高水位标记与账本一致。")


def tables(look: Look) -> Iterable[Finding]:
    """Find entries that could not be put into the tables, or that wait for it too long."""
    with look.store.reading() as reads:
        faults = reads.rows(
            "SELECT origin, count(*), min(idx), min(error) FROM projection_faults JOIN logs"
            " ON logs.log_id = projection_faults.log_id WHERE error IS NOT NULL GROUP BY origin ORDER BY origin"
        )
        behind = reads.rows(
            "SELECT origin, size - projected FROM logs WHERE size - projected > :most AND log_id > 0",
            {"most": BEHIND_MAX},
        )
    for origin, count, index, error in faults:
        yield Finding(
            Level.PERSON,
            f"{count} entries of {origin} could not be applied, the first at {index}: {error}",
            f"{origin} 有 {count} 条记录无法写入数据表，第一条位置 {index}：{error}",
            "If the plant's program is newer, upgrade the hub. Else look at the entry, then retry or skip it.",
            "若工厂程序较新，请升级中心；否则检查该条目后重试或跳过。",
        )
    for origin, count in behind:
        yield Finding(
            Level.PERSON,
            f"{count} entries of {origin} are stored and not in the answers yet.",
            f"{origin} 有 {count} 条记录已存储但尚未进入查询结果。",
            "Wait while it catches up; if the number does not fall, see whether the hub's jobs run.",
            "请等待处理；若数量不减少，请检查中心的作业是否运行。",
        )
    if not faults and not behind:
        yield fine("Every entry is in the tables.", "所有记录均已写入数据表。")


def leases(look: Look) -> Iterable[Finding]:
    """Find leases that end further in the future than any lasts: the clock was set back."""
    now_us = int(look.clock.now().timestamp() * MICROS)
    with look.store.reading() as reads:
        stuck = reads.rows(
            "SELECT name, holder, until_us FROM leases WHERE until_us > :latest",
            {"latest": now_us + LEASE_SECONDS_MAX * MICROS},
        )
    for name, holder, until_us in stuck:
        seconds = (until_us - now_us) // MICROS
        yield Finding(
            Level.PERSON,
            f"The work “{name}” is reserved by {holder} for another {seconds} s: the clock was set back.",
            f"作业“{name}”被 {holder} 占用，还剩 {seconds} 秒：时钟被调回过。",
            "Set the clock right, and restart the node: it then frees what its own jobs held.",
            "校准时钟并重启节点，即可释放其作业占用。",
        )
    if not stuck:
        yield fine("No work is blocked.", "没有被占用的作业。")


def people(look: Look) -> Iterable[Finding]:
    """Find that nobody can sign in, and people without any role."""
    with look.store.reading() as reads:
        rows = reads.rows(
            "SELECT people.person_id, count(role_grants.role) FROM people LEFT JOIN role_grants"
            " ON role_grants.person_id = people.person_id WHERE disabled_us IS NULL GROUP BY people.person_id"
            " ORDER BY people.person_id"
        )
    idle = [person for person, count in rows if not count]
    if len(idle) == len(rows):
        yield Finding(
            Level.PERSON,
            "Nobody with a role can sign in at this node.",
            "本节点没有任何有角色的人员可以登录。",
            f"batchloom person add --home {look.home} ID --name NAME --role ROLE",
            f"执行 batchloom person add --home {look.home} 工号 --name 姓名 --role 角色",
        )
    elif idle:
        some = ", ".join(idle[:10])
        yield Finding(
            Level.NOTE,
            f"{len(idle)} people have no role and can do nothing: {some}.",
            f"{len(idle)} 人没有角色：{some}。",
            f"batchloom person grant --home {look.home} ID --role ROLE",
            f"执行 batchloom person grant --home {look.home} 工号 --role 角色",
        )
    else:
        yield fine(f"{len(rows)} people can sign in.", f"{len(rows)} 人可以登录。")


def disputes(look: Look) -> Iterable[Finding]:
    """Find entries that could not be applied again after a repair."""
    with look.store.reading() as reads:
        rows = reads.rows("SELECT count(*) FROM disputes WHERE state = 'OPEN'")
    count = rows[0][0]
    if count:
        yield Finding(
            Level.PERSON,
            f"{count} entries collide with others after a repair, and wait to be settled.",
            f"修复后有 {count} 条记录相互冲突，等待处理。",
            "Settle them on the worklist of disputes, each with a reason.",
            "在争议清单中逐条处理并注明原因。",
        )
    else:
        yield fine("No entry is disputed.", "没有争议记录。")


def _newest(reads: ReadSession, log_id: int, size: int, head: bytes) -> tuple[str, str] | None:
    """Return what is wrong with the end of a ledger, in English and Chinese, if anything."""
    (counted,) = reads.rows(
        "SELECT count(*), min(idx), max(idx) FROM entries WHERE log_id = :log_id", {"log_id": log_id}
    )
    if counted[0] and counted != (size, 0, size - 1):
        return f"{counted[0]} of {size} entries are there", f"应有 {size} 条记录，实有 {counted[0]} 条"
    if not counted[0]:
        return None if not size else (f"none of {size} entries is there", f"应有 {size} 条记录，实有 0 条")
    low = max(0, size - NEWEST)
    rows = reads.rows(
        "SELECT idx, body, leaf FROM entries WHERE log_id = :log_id AND idx >= :low ORDER BY idx",
        {"log_id": log_id, "low": low},
    )
    for index, body, leaf in rows:
        if len(body) and leaf_hash(bytes(body)) != bytes(leaf):
            return f"entry {index} was altered", f"第 {index} 条记录被改动"
    try:
        root = Frontier.from_bytes(size, head).root()
    except ValueError:
        root = b""
    if frontier_at(reads, log_id, size).root() != root:
        return "the head does not fit the entries", "头部与记录不符"
    return None


def _damaged(origin: str, en: str, zh: str) -> Finding:
    return Finding(
        Level.BROKEN,
        f"The ledger {origin} is damaged: {en}.",
        f"账本 {origin} 已损坏：{zh}。",
        "Stop the node, keep a copy of the home as evidence, and restore the last backup; the rest comes from the hub.",
        "停止节点，保留目录副本作为证据，恢复最近的备份，其余由中心补回。",
    )
