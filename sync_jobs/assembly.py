"""Builds the two sides of replication from a node's settings, keys and store."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from auth.keys import SigningKey
from auth.notes import NoteSigner, load_key
from auth.tokens import Assertions
from infra.clock import Clock
from infra.database import Store
from infra.objects import open_objects
from infra.settings import Settings, directive_origin, hub_origin
from infra.writer import Writer
from plants.rules.ledger.notes import NoteKey
from plants.rules.ledger.retention import RecordClass, Retention
from plants.store.ledger.archive import Archive
from sync_jobs.keys.chains import rotation_statements
from sync_jobs.nodes import EMBEDDED_HOLDER, HubNode, PlantNode, ignore_arrivals
from sync_jobs.plant.assertion_key_rotation import earlier_keys


class NotConnected(Exception):
    """The plant has no hub: `hub_url` and `hub_key` are not set."""


def program_version() -> str:
    """Return the version of this program."""
    try:
        return version("batchloom")
    except PackageNotFoundError:
        return "0"


def plant_node(
    settings: Settings, store: Store, writer: Writer, clock: Clock, *, holder: str = EMBEDDED_HOLDER
) -> PlantNode:
    """Return the plant's side.

    Raises NotConnected, NoteError for an invalid `hub_key`, and KeyFileError for an unusable key file.
    """
    if settings.hub_url is None or settings.hub_key is None:
        raise NotConnected
    return PlantNode(
        number=settings.plant_number,
        origin=settings.origin,
        directive_origin=directive_origin(settings.group, settings.plant_code),
        store=store,
        writer=writer,
        clock=clock,
        signer=NoteSigner(settings.origin, load_key(settings.keys / "ledger.pem")),
        assertion_key=SigningKey(load_key(settings.keys / "assertion.pem")),
        earlier_assertion_keys=earlier_keys(settings.keys),
        statements=rotation_statements(settings.keys),
        hub_url=settings.hub_url,
        hub_key=NoteKey.parse(settings.hub_key),
        version=program_version(),
        checkpoint_seconds=settings.checkpoint_seconds,
        holder=holder,
    )


def hub_node(
    settings: Settings,
    store: Store,
    clock: Clock,
    *,
    arrived: Callable[[int], None] = ignore_arrivals,
    holder: str = EMBEDDED_HOLDER,
    project: Callable[[], bool] | None = None,
) -> HubNode:
    """Return the hub's side; raises KeyFileError for an unusable key file."""
    return HubNode(
        origin=settings.origin,
        store=store,
        clock=clock,
        signer=NoteSigner(settings.origin, load_key(settings.keys / "ledger.pem")),
        assertions=Assertions(hub_issuer=hub_origin(settings.group), clock=clock),
        version=program_version(),
        arrived=arrived,
        transfer_overdue_days=settings.transfer_overdue_days,
        archive=archive_of(settings),
        statements=rotation_statements(settings.keys),
        holder=holder,
        project=project,
    )


def archive_of(settings: Settings, url: str | None = None) -> Archive:
    """Return the archive of a node's settings, or the one at another address; raises ArchiveUnfit."""
    days = {
        RecordClass.BATCH_RECORDS: settings.retain_batch_records_days,
        RecordClass.DIRECTIVES: settings.retain_directives_days,
        RecordClass.GROUP_RECORDS: settings.retain_group_records_days,
        RecordClass.CHECKPOINTS: settings.retain_checkpoints_days,
        RecordClass.UNFINISHED: settings.retain_unfinished_days,
    }
    address = url or settings.archive_url or (settings.home.resolve() / "archive").as_uri()
    return Archive(open_objects(address), Retention(days), lock_required=settings.archive_lock == "required")
