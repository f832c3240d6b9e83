"""Checks of replication: the hub from a plant, the plants from the hub, and the alarms."""

import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from shlex import quote
from typing import Final
from urllib.parse import urlsplit

import httpx2

from api.doctor.findings import Examination, Finding, Level, fine, whole_scope
from api.language import _, language
from auth.enrolment import invitations
from infra.messages import translate, word_list
from infra.objects import ArchiveFailed, ArchiveUnfit
from infra.roles import Role
from plants.store.monitoring.alarms import AlarmKind
from plants.store.monitoring.job_runs import job_runs
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


def hub_reached(node: Examination) -> Iterable[Finding]:
    """Find a hub that is not set, does not answer, has another time, or a certificate that expires soon."""
    settings = node.settings
    if settings.role is not Role.PLANT:
        return
    if settings.hub_url is None or settings.hub_key is None:
        yield Finding(
            Level.NOTE,
            _("The plant has no hub. What it records exists in one place only."),
            _("Set hub_url and hub_key, or join a group with `batchloom plant enrol` in a new home."),
        )
        return
    url = settings.hub_url
    try:
        got = httpx2.get(f"{url}/healthz", timeout=SECONDS_MAX, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = f"{type(error).__name__}: {error}"
        yield Finding(
            Level.PERSON,
            _("The hub at {url} is not reached: {error}", url=url, error=why),
            _(
                "The plant keeps working, and its entries wait here. Check the network, the host name "
                "and the hub's certificate."
            ),
        )
        return
    if got.status_code != httpx2.codes.OK or got.text != "ok":
        yield Finding(
            Level.PERSON,
            _("The server at {url} is not a hub (HTTP {status}).", url=url, status=got.status_code),
            _("Check hub_url and the proxies in between."),
        )
        return
    yield fine(_("The hub at {url} answers.", url=url))
    yield from _clock(node, got.headers.get("Date", ""))
    yield from _certificate(node, url)


def replication(node: Examination) -> Iterable[Finding]:
    """Find ledgers that do not replicate: refused, fenced, behind, or silent for long."""
    with node.store.reading() as reads:
        found = replication_status(reads, whole_scope(reads), now=node.clock.now())
    if not found and node.settings.role is Role.HUB:
        yield fine(_("No plant is enrolled yet."))
    for one in found:
        yield _status_finding(node, one)


def alarms(node: Examination) -> Iterable[Finding]:
    """Find active alarms, except those of jobs that `jobs.last_successes` finds overdue."""
    now = node.clock.now()
    with node.store.reading() as reads:
        found = {one.name for one in job_runs(reads) if one.is_overdue(now)}
        seen = [
            one
            for one in alarms_seen(reads, whole_scope(reads), first=ALARMS_SHOWN)
            if one.kind != AlarmKind.JOB_OVERDUE or one.about not in found
        ]
    for one in seen:
        text = one.said.word(language())
        yield Finding(
            Level.PERSON,
            _(
                "{kind} about {about} ({times} times): {text}",
                kind=one.kind,
                about=translate(one.about, language(), context="about"),
                times=one.times,
                text=text,
            ),
            _("See: batchloom alarms --home {home}", home=quote(str(node.home))),
        )
    if not seen and not found:
        yield fine(_("There is no alarm."))


def enrolments(node: Examination) -> Iterable[Finding]:
    """Find plants that wait for approval at the hub."""
    if node.settings.role is not Role.HUB:
        return
    with node.store.reading() as reads:
        waiting = [one for one in invitations(reads) if one.waits]
    for one in waiting:
        yield Finding(
            Level.PERSON,
            _(
                "Plant {code} waits for approval with the fingerprint {fingerprint}.",
                code=one.code,
                fingerprint=one.fingerprint,
            ),
            _(
                "Compare it with the one that the plant shows, then run: batchloom hub approve --home {home} {code}",
                home=quote(str(node.home)),
                code=one.code,
            ),
        )
    if not waiting:
        yield fine(_("No plant waits for approval."))


def archive(node: Examination) -> Iterable[Finding]:
    """Find an archive that cannot be reached, or cannot lock its files against change."""
    if node.settings.role is not Role.HUB:
        return
    place = archive_of(node.settings)
    try:
        can = place.objects.probe(node.clock.now())
    except (ArchiveFailed, ArchiveUnfit) as error:
        yield Finding(
            Level.PERSON,
            _("The archive does not work: {error}", error=error),
            _("The hub keeps working and archives later. Check archive_url, its credentials and the free space."),
        )
        return
    if can.missing:
        missing = word_list(can.missing_worded, language())
        yield Finding(
            Level.NOTE,
            _(
                "The archive at {place} works but does not support {missing}: its administrator could change it.",
                place=place.objects.describe(),
                missing=missing,
            ),
            _("For a copy that nobody can change, use s3:// with Object Lock in compliance mode."),
        )
    else:
        yield fine(_("The archive works and locks what is written."))


def broker(node: Examination) -> Iterable[Finding]:
    """Find a broker that does not answer, where jobs run in processes of their own."""
    if node.settings.broker_url is None:
        return
    from sync_jobs.celery.nudges import broker_failure  # noqa: PLC0415 -- Celery, which no other command needs.

    failure = broker_failure(node.settings.broker_url.get_secret_value())
    if failure is None:
        yield fine(_("The broker answers."))
        return
    yield Finding(
        Level.PERSON,
        _("The broker does not answer ({failure}): jobs run only on their periods, or not at all.", failure=failure),
        _("Start the broker, or check broker_url. Nothing is lost meanwhile."),
    )


def _status_finding(node: Examination, one: PlantReplication) -> Finding:
    name = one.origin
    if one.fenced or one.state is ReplicationState.FENCED:
        return Finding(
            Level.BROKEN,
            _(
                "{name} is fenced: another copy of the plant is the active one, and this copy accepts no writes.",
                name=name,
            ),
            _(
                "Stop the wrong copy. If this is the right one, run: batchloom plant take-over --home {home}",
                home=quote(str(node.home)),
            ),
        )
    if one.state in STOPPED:
        alarms = "; ".join(alarm.word(language()) for alarm in one.alarms)
        reason = alarms or one.error or _("no reason was recorded")
        return Finding(
            Level.PERSON,
            _("{name} is {state}: {reason}", name=name, state=one.state, reason=reason),
            _("Follow the alarm. The plant can record meanwhile."),
        )
    if one.state is ReplicationState.NEVER_MET:
        return Finding(
            Level.NOTE,
            _(
                "{name} has never exchanged with the other side; {waiting} entries wait.",
                name=name,
                waiting=one.waiting,
            ),
            _("Start the node, and check that the plant is enrolled at the hub."),
        )
    if one.lag_seconds is not None and one.lag_seconds > LAG_SECONDS_MAX:
        error = one.error or _("none was made")
        return Finding(
            Level.PERSON,
            _(
                "{name} has sent nothing for {minutes} minutes; {waiting} entries wait, {attempts} "
                "attempts failed: {error}",
                name=name,
                minutes=one.lag_seconds // 60,
                waiting=one.waiting,
                attempts=one.attempts,
                error=error,
            ),
            _("Check that the plant's node runs and reaches the hub: batchloom plant sync-now"),
        )
    skew = abs(one.skew_ms or 0) // 1000
    if skew >= SKEW_SECONDS_MAX:
        return _skewed(name, skew)
    return fine(
        _("{name} is up to date: {size} entries, {waiting} wait.", name=name, size=one.size, waiting=one.waiting)
    )


def _clock(node: Examination, date: str) -> Iterable[Finding]:
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return
    skew = abs(int((theirs - node.clock.now()).total_seconds()))
    if skew >= SKEW_SECONDS_MAX:
        yield _skewed("the hub", skew)


def _skewed(who: str, seconds: int) -> Finding:
    return Finding(
        Level.PERSON,
        _(
            "The clocks here and at {who} differ by {seconds} s. The hub rejects requests when they "
            "differ by more than a few seconds.",
            who=who,
            seconds=seconds,
        ),
        _("Synchronise the clocks of both machines by NTP."),
    )


def _certificate(node: Examination, url: str) -> Iterable[Finding]:
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
        days = (datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - node.clock.now()).days
    except (OSError, ValueError):
        return
    if days < CERTIFICATE_DAYS_MIN:
        yield Finding(
            Level.PERSON,
            _("The hub's certificate expires in {days} days. No plant can connect after that.", days=days),
            _("Renew it at the hub, or at the proxy in front of it."),
        )
    else:
        yield fine(_("The hub's certificate is valid for another {days} days.", days=days))
