"""The archive in an S3 bucket with Object Lock in compliance mode: conditional writes, reads of the first version.

Compliance mode prevents every user, the account's owner included, from deleting a version. It does not prevent a new
version or a delete marker for the same name. So names are listed and bytes are read by version, and the first version
of a name is the valid one.
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.ids import new_id
from infra.messages import message
from infra.objects import (
    ARCHIVE_FAILED,
    PROBE_RETAINED,
    PROBES,
    ArchiveFailed,
    ArchiveUnfit,
    Capabilities,
    NameTaken,
    NotArchived,
    check_name,
    utc,
)
from infra.settings import is_address, may_carry_secrets

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 15
ATTEMPTS: Final = 2  # of one request; the archive job makes further ones
PRECONDITION_FAILED: Final = 412
FORBIDDEN: Final = 403
NO_SUCH: Final = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
NO_VERSIONS: Final = "null"
NOTHING_YET: Final = Capabilities(conditional=True, locked=True, versioned=True)


ARCHIVE_ADDRESS_INVALID: Final = message(
    "ARCHIVE_ADDRESS_INVALID",
    "The archive's address is invalid. Write s3://bucket/prefix?endpoint=https://…&region=…; credentials belong in "
    "the environment.",
)
ARCHIVE_ENDPOINT_OPEN: Final = message(
    "ARCHIVE_ENDPOINT_OPEN", "The archive's endpoint must begin with https:// unless it is on this machine."
)


@dataclass(frozen=True, slots=True)
class Place:
    """The bucket, prefix, region and endpoint (None for AWS) of an archive. Credentials are never part of it."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `s3://bucket/prefix?endpoint=…&region=…`; raises ArchiveUnfit."""
        if not is_address(url):
            raise ArchiveUnfit(ARCHIVE_ADDRESS_INVALID)
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        unknown = query.keys() - {"endpoint", "region"}
        prefix = parts.path.strip("/")
        if parts.scheme != "s3" or not parts.hostname or "@" in parts.netloc or unknown:
            raise ArchiveUnfit(ARCHIVE_ADDRESS_INVALID)
        endpoint = query.get("endpoint")
        if endpoint is not None and not may_carry_secrets(endpoint):
            raise ArchiveUnfit(ARCHIVE_ENDPOINT_OPEN)
        if prefix:
            try:
                check_name(prefix)
            except ValueError:
                raise ArchiveUnfit(ARCHIVE_ADDRESS_INVALID) from None
        return cls(parts.netloc, f"{prefix}/" if prefix else "", endpoint, query.get("region"))


class S3Objects:
    """An archive in a bucket. Every capability is assumed until `probe` has run."""

    def __init__(self, url: str) -> None:
        self._place = Place.parse(url)
        self._url = url
        self._can = NOTHING_YET
        # A self-hosted endpoint rarely has a host name for each bucket.
        style = "path" if self._place.endpoint else "auto"
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=self._place.endpoint,
            region_name=self._place.region,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                s3={"addressing_style": style},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put_new(self, name: str, content: bytes, *, retain_until: datetime) -> None:
        """Store bytes under a new name, locked until `retain_until` where the bucket locks."""
        check_name(name)
        # Without conditional writes both of two concurrent versions are stored, and the first one is valid.
        if not self._can.conditional and self._differs(name, content):
            return
        given = {"IfNoneMatch": "*"} if self._can.conditional else {}
        version = None
        try:
            version = self._put(name, content, retain_until, **given)
        except ClientError as error:
            if _status(error) != PRECONDITION_FAILED:
                raise _failed(error) from error
        # A delete marker hides older versions from the condition, so the first version is always compared.
        if version is None or self.versions(name)[:1] != [version]:
            self._differs(name, content)

    def get(self, name: str) -> bytes:
        """Return the bytes of the first version."""
        for version in self.versions(name)[:1]:
            return self.get_version(name, version)
        raise NotArchived(name)

    def versions(self, name: str) -> list[str]:
        """Return the ids of the versions of a name, oldest first, without delete markers."""
        key = self._key(name)
        found = [one["VersionId"] for one in self._listed(Prefix=key, whole=key)]
        return found[::-1]

    def get_version(self, name: str, version: str) -> bytes:
        """Return the bytes of one version."""
        with _expecting(name):
            answer = self._client.get_object(Bucket=self._place.bucket, Key=self._key(name), **_of(version))
            return bytes(answer["Body"].read())

    def names(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Yield the names with a prefix that sort after another, including those hidden by a delete marker."""
        marker = {"KeyMarker": self._key(after)} if after else {}
        before = ""
        for one in self._listed(Prefix=self._place.prefix + prefix, **marker):
            name = str(one["Key"]).removeprefix(self._place.prefix)
            if name != before and name > after:
                yield name
            before = name

    def children(self, folder: str) -> list[str]:
        """Return the names of objects and folders in a folder."""
        key = f"{self._key(folder)}/"
        found = set()
        with _expecting(folder):
            pages = self._client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self._place.bucket, Prefix=key, Delimiter="/"):
                found |= {one["Prefix"][len(key) :].rstrip("/") for one in page.get("CommonPrefixes", ())}
                found |= {one["Key"][len(key) :] for one in page.get("Versions", ())}
        return sorted(found)

    def retained_until(self, name: str) -> datetime | None:
        """Return the time until which the first version is locked."""
        for version in self.versions(name)[:1]:
            with _expecting(name):
                # HeadObject, unlike GetObjectRetention, needs no permission of its own.
                head = self._client.head_object(Bucket=self._place.bucket, Key=self._key(name), **_of(version))
            found = head.get("ObjectLockRetainUntilDate")
            return utc(found) if isinstance(found, datetime) else None
        raise NotArchived(name)

    def probe(self, now: datetime) -> Capabilities:
        """Write, overwrite and delete a probe object, and use the observed capabilities from now on."""
        name, until = f"{PROBES}/{new_id()}", now + PROBE_RETAINED
        self._can = NOTHING_YET
        locked = self._put_locked(name, until)
        versioned = self._survives(name, until)
        self._can = replace(self._can, locked=locked and self._is_kept(name), versioned=versioned)
        self._can = replace(self._can, conditional=self._refuses_second(f"{name}-twice", until))
        return self._can

    def describe(self) -> str:
        """Return the address without credentials."""
        return self._url

    def _put(self, name: str, content: bytes, retain_until: datetime, **given: str) -> str:
        """Write an object and return the id of the new version."""
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": utc(retain_until)}
        # boto3 would send the checksum as a trailer, which older servers take for content.
        checksum = b64encode(sha256(content).digest()).decode()
        try:
            answer = self._client.put_object(
                Bucket=self._place.bucket,
                Key=self._key(name),
                Body=content,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
                **(lock if self._can.locked else {}),
                **given,
            )
        except BotoCoreError as error:
            raise _failed(error) from error
        return str(answer.get("VersionId", NO_VERSIONS))

    def _differs(self, name: str, content: bytes) -> bool:
        """Return whether the first version has these bytes; raises NameTaken when it has others."""
        first = self.versions(name)[:1]
        if first and self.get_version(name, first[0]) != content:
            raise NameTaken(name)
        return bool(first)

    def _put_locked(self, name: str, until: datetime) -> bool:
        try:
            self._put(name, b"first", until)
        except ClientError as error:
            if error.response["Error"].get("Code") not in {"InvalidRequest", "InvalidArgument", "NotImplemented"}:
                raise _failed(error) from error
            self._can = replace(self._can, locked=False)
            with _expecting(name):
                self._put(name, b"first", until)
            return False
        return True

    def _survives(self, name: str, until: datetime) -> bool:
        with _expecting(name):
            self._put(name, b"second", until)
            self._client.delete_object(Bucket=self._place.bucket, Key=self._key(name))
        try:
            return self.get(name) == b"first"
        except NotArchived:
            return False

    def _is_kept(self, name: str) -> bool:
        """Return whether permanent deletion of the first version is refused."""
        for version in self.versions(name)[:1]:
            try:
                self._client.delete_object(Bucket=self._place.bucket, Key=self._key(name), VersionId=version)
            except ClientError as error:
                if _status(error) != FORBIDDEN:
                    raise _failed(error) from error
            except BotoCoreError as error:
                raise _failed(error) from error
            return version in self.versions(name)
        return False

    def _refuses_second(self, name: str, until: datetime) -> bool:
        try:
            self._put(name, b"first", until, IfNoneMatch="*")
            self._put(name, b"second", until, IfNoneMatch="*")
        except ClientError as error:
            if _status(error) == PRECONDITION_FAILED:
                return self.get(name) == b"first"
            if error.response["Error"].get("Code") == "NotImplemented":
                return False
            raise _failed(error) from error
        return False

    def _key(self, name: str) -> str:
        return self._place.prefix + check_name(name)

    def _listed(self, *, whole: str = "", **given: str) -> Iterator[dict[str, Any]]:
        """Yield the listed versions, newest of a key first; only those of the key `whole` where it is given."""
        with _expecting(whole):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._place.bucket, **given)
            for page in pages:
                for one in page.get("Versions", ()):
                    if whole and one["Key"] != whole:
                        return
                    yield one


def _of(version: str) -> dict[str, str]:
    """Return the version argument of a request; empty for a bucket without versions."""
    return {} if version == NO_VERSIONS else {"VersionId": version}


@contextmanager
def _expecting(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"].get("Code") in NO_SUCH:
            raise NotArchived(name) from error
        raise _failed(error) from error
    except BotoCoreError as error:
        raise _failed(error) from error


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _failed(error: Exception) -> ArchiveFailed:
    return ArchiveFailed(ARCHIVE_FAILED, why=f"{type(error).__name__}: {error}"[:300])
