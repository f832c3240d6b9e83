"""Write-once storage for the archive: a folder, or S3 with Object Lock (`infra.objects_s3`), chosen by URL.

A name is written once. Writing the same bytes again succeeds, so that an interrupted write can be repeated. Writing
other bytes raises NameTaken and changes nothing.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from infra.folders import sync_folder
from infra.ids import new_id
from infra.messages import Failure, Notice, message
from infra.settings import is_address

NAME: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", re.ASCII)
NAME_LENGTH_MAX: Final = 900  # S3 allows 1,024 bytes, prefix included.
READ_ONLY: Final = 0o444
PROBES: Final = "probes"
PROBE_RETAINED: Final = timedelta(seconds=90)


ARCHIVE_FAILED: Final = message(
    "ARCHIVE_FAILED", "The archive does not answer: {why}. Check its address and the network."
)


class ArchiveFailed(Failure):
    """The archive cannot be reached or its answer is invalid. The text says what happened."""


class NameTaken(Exception):
    """Other bytes are stored under this name already; they are unchanged."""


class NotArchived(LookupError):
    """The archive stores nothing under this name."""


ARCHIVE_ADDRESS_UNKNOWN: Final = message(
    "ARCHIVE_ADDRESS_UNKNOWN", "{scheme}://… is no archive's address. Write file:///path or s3://bucket/prefix."
)


ARCHIVE_MISSING: Final = message(
    "ARCHIVE_MISSING", "There is no archive at {where}. Check its address, and that its disk is mounted."
)


class ArchiveUnfit(Failure):
    """The archive's address is invalid, or the archive lacks what `archive_lock` requires. The text says what to do."""


CAPABILITIES: Final = {
    "conditional": message("CAPABILITY_CONDITIONAL", "refusing a second writer of the same name"),
    "locked": message("CAPABILITY_LOCKED", "locks against deletion"),
    "versioned": message("CAPABILITY_VERSIONED", "versions of what is overwritten"),
}
"""What an archive can do, by the name that programs read."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of an archive, as observed by a probe.

    `conditional`: the second of two writers of one name is refused. `locked`: nobody can delete a retained object.
    `versioned`: the first bytes stay readable after an overwrite or a delete.
    """

    conditional: bool
    locked: bool
    versioned: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the missing capabilities."""
        return tuple(name for name in CAPABILITIES if not getattr(self, name))

    @property
    def missing_worded(self) -> list[Notice]:
        """The missing capabilities for a reader."""
        return [CAPABILITIES[name]() for name in self.missing]


class Objects(Protocol):
    """Storage that keeps the first bytes of each name. Every call except `describe` may raise ArchiveFailed."""

    def put_new(self, name: str, content: bytes, *, retain_until: datetime) -> None:
        """Store bytes under a new name, durably; raises NameTaken when other bytes are stored there."""
        ...

    def get(self, name: str) -> bytes:
        """Return the bytes first written under a name; raises NotArchived."""
        ...

    def versions(self, name: str) -> list[str]:
        """Return the versions of a name, oldest first; one where the storage keeps no versions."""
        ...

    def get_version(self, name: str, version: str) -> bytes:
        """Return the bytes of one version; raises NotArchived."""
        ...

    def names(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Yield the names that begin with `prefix` and sort after `after`, in byte order."""
        ...

    def children(self, folder: str) -> list[str]:
        """Return the distinct names of files and folders in a folder (without a trailing slash), sorted."""
        ...

    def retained_until(self, name: str) -> datetime | None:
        """Return the time until which a name is retained, or None where it is unknown; raises NotArchived."""
        ...

    def probe(self, now: datetime) -> Capabilities:
        """Return the archive's capabilities, observed on small probe objects."""
        ...

    def describe(self) -> str:
        """Return the archive's address without secrets."""
        ...


def check_name(name: str) -> str:
    """Return the name if every storage can keep it; raises ValueError otherwise."""
    parts = name.split("/")
    if NAME.fullmatch(name) is None or len(name) > NAME_LENGTH_MAX or {".", ".."} & set(parts):
        raise ValueError(f"{name!r} is no name of an archived object")
    return name


class FileObjects:
    """An archive in a folder: read-only files, and one file per object with the time until which it is retained.

    A user who can write to the folder can delete from it. The folder protects against software errors and power
    cuts, not against an administrator of the machine. Put it on another disk than the store.
    """

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._retained = root / "retained"
        self._drafts = root / "drafts"
        self._root = root

    def put_new(self, name: str, content: bytes, *, retain_until: datetime) -> None:
        """Store bytes under a new name atomically and durably."""
        path = self._objects / check_name(name)
        try:
            if not self._link_new(path, content) and path.read_bytes() != content:
                raise NameTaken(name)
            # After the content: repeating a write that was interrupted here completes it.
            self._link_new(self._retained / name, json.dumps({"until": retain_until.isoformat()}).encode())
        except OSError as error:
            raise _failed(error) from error

    def get(self, name: str) -> bytes:
        """Return the bytes under a name."""
        try:
            return (self._objects / check_name(name)).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotArchived(name) from error
        except OSError as error:
            raise _failed(error) from error

    def versions(self, name: str) -> list[str]:
        """Return the only version, if the name exists."""
        return [""] if (self._objects / check_name(name)).is_file() else []

    def get_version(self, name: str, version: str) -> bytes:
        """Return the bytes of the only version."""
        if version:
            raise NotArchived(name)
        return self.get(name)

    def names(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Yield the names with a prefix that sort after another, in byte order."""
        folder, _, _ = prefix.rpartition("/")
        for name in _below(self._objects / folder, f"{folder}/" if folder else ""):
            if name.startswith(prefix) and name > after:
                yield name

    def children(self, folder: str) -> list[str]:
        """Return the names of files and folders in a folder."""
        try:
            return sorted(one.name for one in (self._objects / check_name(folder)).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _failed(error) from error

    def retained_until(self, name: str) -> datetime | None:
        """Return the time until which a name is retained."""
        if not self.versions(name):
            raise NotArchived(name)
        try:
            return datetime.fromisoformat(json.loads((self._retained / name).read_bytes())["until"])
        except (FileNotFoundError, ValueError, KeyError):
            return None
        except OSError as error:
            raise _failed(error) from error

    def probe(self, now: datetime) -> Capabilities:
        """Observe whether a second writer is refused. A folder neither locks nor keeps versions."""
        name = f"{PROBES}/{new_id()}"
        try:
            self.put_new(name, b"first", retain_until=now)
            with suppress(NameTaken):
                self.put_new(name, b"second", retain_until=now)
                return Capabilities(conditional=False, locked=False, versioned=False)
            return Capabilities(conditional=self.get(name) == b"first", locked=False, versioned=False)
        finally:
            for place in (self._objects, self._retained):
                with suppress(OSError):
                    (place / name).unlink(missing_ok=True)

    def describe(self) -> str:
        """Return the folder."""
        return self._root.as_uri() if self._root.is_absolute() else str(self._root)

    def exists(self) -> bool:
        """Return whether the folder exists."""
        return self._root.is_dir()

    def _link_new(self, path: Path, content: bytes) -> bool:
        """Write a file atomically and durably under a new name; return whether the name was free."""
        _make_folder(self._drafts)
        _make_folder(path.parent)
        if path.exists():
            return False
        draft = self._drafts / new_id()
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READ_ONLY), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # A hard link, unlike a rename, fails where the name exists.
            path.hardlink_to(draft)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True


def open_objects(url: str) -> Objects:
    """Return the archive at an address without contacting it; raises ArchiveUnfit for an invalid address."""
    if url.startswith("s3:"):
        from infra.objects_s3 import S3Objects  # noqa: PLC0415 -- importing boto3 takes half a second.

        return S3Objects(url)
    return FileObjects(file_root(url))


def check_exists(objects: Objects) -> None:
    """Raise ArchiveUnfit for a folder that does not exist, from which an archive is to be read."""
    if isinstance(objects, FileObjects) and not objects.exists():
        raise ArchiveUnfit(ARCHIVE_MISSING, where=objects.describe())


def file_root(url: str) -> Path:
    """Return the folder of a file:// address; raises ArchiveUnfit for an invalid one."""
    if not is_address(url):
        raise ArchiveUnfit(ARCHIVE_ADDRESS_UNKNOWN, scheme=url.partition(":")[0])
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ArchiveUnfit(ARCHIVE_ADDRESS_UNKNOWN, scheme=parts.scheme)
    return Path(unquote(parts.path))


def utc(at: datetime) -> datetime:
    """Return an instant in UTC, in the form that every storage writes."""
    return at.astimezone(UTC)


def _below(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the names of all files below a folder, in byte order of the whole names."""
    try:
        inside = [(one.name + ("/" if one.is_dir() else ""), one) for one in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _failed(error) from error
    for name, one in sorted(inside):
        if name.endswith("/"):
            yield from _below(one, prefix + name)
        else:
            yield prefix + name


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _failed(error: OSError) -> ArchiveFailed:
    return ArchiveFailed(ARCHIVE_FAILED, why=f"{type(error).__name__}: {error}"[:300])
