"""Checks of a node's way to the others: the hub as a plant sees it, the plants as the hub sees them, the alarms."""

import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpx2

from api.doctor.findings import Finding, Level, Look, fine
from auth.actors import Role as Trust
from auth.actors import system_actor
from auth.enrolment import invitations
from auth.permissions import Permission
from auth.scope import plants_for
from infra.database import ReadSession
from infra.objects import ArchiveFailed, ArchiveUnfit
from infra.roles import Role
from plants.rules.identification.codes import HUB
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import known_plants
from plants.store.monitoring.overview import alarms_seen
from plants.store.replication.status import PlantReplication, ReplicationState, replication_status
from sync_jobs.assembly import archive_of

SECONDS_MAX: Final = 5.0
SKEW_SECONDS_MAX: Final = 4
CERTIFICATE_DAYS_MIN: Final = 14
LAG_SECONDS_MAX: Final = 900
ALARMS_SHOWN: Final = 20
STOPPED: Final = frozenset(
    {ReplicationState.REFUSED, ReplicationState.RESTORED, ReplicationState.DIVERGED, ReplicationState.HUB_REGRESSED}
)


def hub_reached(look: Look) -> Iterable[Finding]:
    """Find a hub that is not set, does not answer, has another time, or a certificate that ends soon."""
    settings = look.settings
    if settings.role is not Role.PLANT:
        return
    if settings.hub_url is None or settings.hub_key is None:
        yield Finding(
            Level.NOTE,
            "The plant has no hub: nothing it records is copied anywhere.",
            "本厂未设置中心，所记录的内容没有其他副本。",
            "Set hub_url and hub_key, or join a group with `batchloom plant enrol` in a new home.",
            "设置 hub_url 与 hub_key，或在新目录中用 batchloom plant enrol 加入集团。",
        )
        return
    url = settings.hub_url
    try:
        got = httpx2.get(f"{url}/healthz", timeout=SECONDS_MAX, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        yield Finding(
            Level.PERSON,
            f"The hub at {url} is not reached: {type(error).__name__}: {error}",
            f"无法连接中心 {url}：{type(error).__name__}：{error}",
            "Work goes on; entries wait here. Check the network, the name, and the hub's certificate.",
            "工作可继续，记录暂存本地。请检查网络、域名和中心证书。",
        )
        return
    if got.status_code != httpx2.codes.OK or got.text != "ok":
        yield Finding(
            Level.PERSON,
            f"Something other than a hub answers at {url} ({got.status_code}).",
            f"{url} 的应答方不是中心（{got.status_code}）。",
            "Check hub_url, and proxies on the way.",
            "请检查 hub_url 以及途中的代理。",
        )
        return
    yield fine(f"The hub at {url} answers.", f"中心 {url} 应答正常。")
    yield from _clock(look, got.headers.get("Date", ""))
    yield from _certificate(look, url)


def standing(look: Look) -> Iterable[Finding]:
    """Find ledgers that do not travel: refused, fenced, behind, or not heard for long."""
    with look.store.reading() as reads:
        found = replication_status(reads, _scope(reads), now=look.clock.now())
    if not found and look.settings.role is Role.HUB:
        yield fine("No plant is enrolled yet.", "尚无工厂加入。")
    for one in found:
        yield _standing(look, one)


def alarms(look: Look) -> Iterable[Finding]:
    """Find alarms that last."""
    with look.store.reading() as reads:
        seen = alarms_seen(reads, _scope(reads), first=ALARMS_SHOWN)
    for one in seen:
        yield Finding(
            Level.PERSON,
            f"{one.kind} about {one.about} ({one.times} times): {one.said.word('en')}",
            f"{one.kind}，{one.about}（{one.times} 次）：{one.said.word('zh')}",
            f"batchloom alarms --home {look.home}",
            f"执行 batchloom alarms --home {look.home}",
        )
    if not seen:
        yield fine("There is no alarm.", "没有告警。")


def enrolments(look: Look) -> Iterable[Finding]:
    """Find plants that wait for approval at the hub."""
    if look.settings.role is not Role.HUB:
        return
    with look.store.reading() as reads:
        waiting = [one for one in invitations(reads) if one.waits]
    for one in waiting:
        yield Finding(
            Level.PERSON,
            f"Plant {one.code} waits to be taken in, with the fingerprint {one.fingerprint}.",
            f"工厂 {one.code} 等待批准，指纹为 {one.fingerprint}。",
            f"Compare it with what the plant shows, then: batchloom hub approve --home {look.home} {one.code}",
            f"与工厂显示的指纹核对后执行 batchloom hub approve --home {look.home} {one.code}",
        )
    if not waiting:
        yield fine("No plant waits to be taken in.", "没有等待批准的工厂。")


def archive(look: Look) -> Iterable[Finding]:
    """Find an archive that is not reached, or that cannot keep what it is given from being changed."""
    if look.settings.role is not Role.HUB:
        return
    place = archive_of(look.settings)
    try:
        can = place.objects.probe(look.clock.now())
    except (ArchiveFailed, ArchiveUnfit) as error:
        yield Finding(
            Level.PERSON,
            f"The archive does not work: {error}",
            f"归档不可用：{error}",
            "Work goes on, and is archived later. Check archive_url, its credentials, and the room there is.",
            "工作可继续，稍后补归档。请检查 archive_url、凭据和剩余空间。",
        )
        return
    if can.missing:
        missing = ", ".join(can.missing)
        yield Finding(
            Level.NOTE,
            f"The archive at {place.objects.describe()} works and is not {missing}: its administrator could alter it.",
            f"归档 {place.objects.describe()} 可用，但不支持 {missing}，其管理员可更改内容。",
            "For a copy that nobody can change: s3:// with Object Lock in compliance mode.",
            "如需任何人都无法更改的副本，请使用启用 Object Lock 合规模式的 s3://。",
        )
    else:
        yield fine("The archive works, and locks what it keeps.", "归档可用且支持锁定。")


def broker(look: Look) -> Iterable[Finding]:
    """Find a broker that does not answer, where jobs run in processes of their own."""
    if look.settings.broker_url is None:
        return
    from sync_jobs.celery.nudges import broker_failure  # noqa: PLC0415 -- Celery, which no other command needs.

    failure = broker_failure(look.settings.broker_url.get_secret_value())
    if failure is None:
        yield fine("The broker answers.", "消息代理应答正常。")
        return
    yield Finding(
        Level.PERSON,
        f"The broker does not answer ({failure}): jobs run only on their periods, or not at all.",
        f"消息代理无应答（{failure}），作业只能按周期运行或无法运行。",
        "Start it, or check broker_url. Nothing is lost meanwhile.",
        "请启动消息代理或检查 broker_url，期间不会丢失数据。",
    )


def _standing(look: Look, one: PlantReplication) -> Finding:
    name = one.origin
    if one.fenced or one.state is ReplicationState.FENCED:
        return Finding(
            Level.BROKEN,
            f"{name} is fenced: another copy of the plant is the one that counts, and this one writes no more.",
            f"{name} 已被隔离：以该工厂的另一副本为准，此副本不再写入。",
            f"Stop the copy that is wrong. If this is the right one: batchloom plant take-over --home {look.home}",
            f"停用错误的副本；若此副本正确，执行 batchloom plant take-over --home {look.home}",
        )
    if one.state in STOPPED:
        en, zh = ("; ".join(alarm.word(language) for alarm in one.alarms) for language in ("en", "zh"))
        return Finding(
            Level.PERSON,
            f"{name} is {one.state}: {en or one.error or 'no reason was written down'}",
            f"{name} 状态为 {one.state}：{zh or one.error or '未记录原因'}",
            "Do what the alarm says; the plant goes on recording meanwhile.",
            "按告警提示处理，期间工厂可继续记录。",
        )
    if one.state is ReplicationState.NEVER_MET:
        return Finding(
            Level.NOTE,
            f"{name} has never met the other side; {one.waiting} entries wait.",
            f"{name} 尚未与对方联系，{one.waiting} 条记录等待发送。",
            "Start the node, and see that the plant is enrolled at the hub.",
            "启动节点，并确认工厂已在中心登记。",
        )
    if one.lag_seconds is not None and one.lag_seconds > LAG_SECONDS_MAX:
        return Finding(
            Level.PERSON,
            f"Nothing was heard of {name} for {one.lag_seconds // 60} minutes; {one.waiting} entries wait, "
            f"{one.attempts} attempts failed: {one.error or 'none was made'}",
            f"{name} 已有 {one.lag_seconds // 60} 分钟没有消息；{one.waiting} 条记录等待，"
            f"{one.attempts} 次尝试失败：{one.error or '未尝试'}",
            "See that the plant's node runs and reaches the hub: batchloom plant sync-now",
            "请确认工厂节点在运行并能连接中心：batchloom plant sync-now",
        )
    skew = abs(one.skew_ms or 0) // 1000
    if skew >= SKEW_SECONDS_MAX:
        return _skewed(name, skew)
    return fine(f"{name} is level: {one.size} entries, {one.waiting} wait.", f"{name} 正常：{one.size} 条记录。")


def _clock(look: Look, date: str) -> Iterable[Finding]:
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return
    skew = abs(int((theirs - look.clock.now()).total_seconds()))
    if skew >= SKEW_SECONDS_MAX:
        yield _skewed("the hub", skew)


def _skewed(who: str, seconds: int) -> Finding:
    return Finding(
        Level.PERSON,
        f"The clocks here and at {who} differ by {seconds} s; above a few seconds the hub recognises nobody.",
        f"本机与 {who} 的时钟相差 {seconds} 秒，超过数秒时中心将拒绝识别。",
        "Let both machines keep time by NTP.",
        "请让两台机器均通过 NTP 校时。",
    )


def _certificate(look: Look, url: str) -> Iterable[Finding]:
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        return
    try:
        address = parts.hostname, parts.port or 443
        with (
            socket.create_connection(address, SECONDS_MAX) as opened,
            ssl.create_default_context().wrap_socket(opened, server_hostname=parts.hostname) as secured,
        ):
            ends = str((secured.getpeercert() or {}).get("notAfter", ""))
        days = (datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - look.clock.now()).days
    except (OSError, ValueError):
        return
    if days < CERTIFICATE_DAYS_MIN:
        yield Finding(
            Level.PERSON,
            f"The hub's certificate ends in {days} days; then no plant reaches it.",
            f"中心的证书将在 {days} 天后到期，届时工厂无法连接。",
            "Renew it at the hub, or at the proxy before it.",
            "请在中心或其前置代理处更新证书。",
        )
    else:
        yield fine(f"The hub's certificate lasts {days} days more.", f"中心证书还有 {days} 天到期。")


def _scope(reads: ReadSession) -> PlantScope:
    actor = system_actor("doctor", Trust.ADMINISTRATOR)
    return plants_for(actor, Permission.REPLICATION_READ, {HUB, *known_plants(reads)})
