"""A node's settings: read once at start, from its home directory and the environment."""

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from infra.messages import Failure, message, term
from infra.roles import Role
from infra.settings_errors import problems_of

DAYS_KEPT = 3653  # ten years
FILE_NAME = "batchloom.toml"
PREFIX = "BATCHLOOM_"
BROKER_SCHEMES: Final = frozenset({"redis", "rediss", "amqp", "amqps"})


HOME_NEEDED: Final = message("HOME_NEEDED", "No home is given: use --home DIR or {variable}.")
HOME_UNPREPARED: Final = message(
    "HOME_UNPREPARED",
    "{home} is not yet the home of a node: run `batchloom plant init` or `batchloom hub init`.",
)
SETTINGS_UNREADABLE: Final = message("SETTINGS_UNREADABLE", "{file} is not a valid TOML file: {why}. Correct it.")
SETTINGS_WRONG: Final = message(
    "SETTINGS_WRONG",
    "Correct these settings, in {file} or in the environment ({prefix}*): {problems}",
)


class SettingsInvalid(Failure):
    """The settings are invalid. The message names each one and its error."""


class Settings(BaseModel):
    """A node's settings. The setting `hub_url` in the file is BATCHLOOM_HUB_URL in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(description="Directory of the node: settings, keys, and the store where it is embedded.")
    role: Role = Field(description="Role of the node: plant or hub.")
    group: str = Field(
        pattern=r"^[a-z0-9.-]{1,100}$",
        description="Domain name of the manufacturing group; every ledger's origin begins with it.",
    )
    plant_number: int = Field(0, ge=0, le=8191, description="The plant's number as the hub gave it; 0 at the hub.")
    plant_code: str = Field("", pattern=r"^([A-Z0-9]{2,4})?$", description="The plant's code; empty at the hub.")
    database_url: SecretStr | None = Field(
        None,
        description="Where the store is: sqlite:////path or postgresql://user:password@host/name. "
        "Unset: a SQLite file in a plant's home, an embedded PostgreSQL in the hub's.",
    )
    postgresql_bin: Path | None = Field(None, description="Directory of the PostgreSQL programs to embed.")
    hub_url: str | None = Field(None, description="Where the plant finds the hub: https://hub.example.")
    hub_key: str | None = Field(
        None,
        description="The hub's verifier key (C2SP vkey) as its `batchloom hub card` prints it; later ones follow.",
    )
    broker_url: SecretStr | None = Field(
        None,
        description="redis://… or amqp://…: jobs run in separate worker and beat processes. "
        "Unset: a worker and a beat run inside the node.",
    )
    host: str = Field("127.0.0.1", description="Address that the node listens on.")
    port: int = Field(8700, ge=0, le=65535, description="Port that the node listens on; 0 takes a free one.")
    tls_certificate: Path | None = Field(None, description="PEM certificate chain, to serve HTTPS without a proxy.")
    tls_key: Path | None = Field(None, description="PEM private key of the certificate.")
    push_seconds: float = Field(5.0, gt=0, le=3600, description="Seconds between two looks for work to replicate.")
    checkpoint_seconds: float = Field(
        60.0,
        gt=0,
        le=86400,
        description="Seconds after which a plant signs a checkpoint though nothing happened.",
    )
    transfer_overdue_days: int = Field(
        7, ge=1, le=366, description="Days after which the hub raises an alarm for a transfer that has not arrived."
    )
    archive_url: str | None = Field(
        None,
        description="Where the hub archives all ledgers: file:///path, or s3://bucket/prefix?endpoint=…&region=… "
        "(credentials as AWS tools find them). Unset: the folder `archive` in the hub's home.",
    )
    archive_lock: Literal["required", "preferred"] = Field(
        "preferred",
        description="Whether an archive that cannot lock what it keeps is refused, or only named in an alarm.",
    )
    archive_seconds: float = Field(300.0, gt=0, le=86400, description="Seconds between two runs of the archive job.")
    retain_batch_records_days: int = Field(
        DAYS_KEPT, ge=1, le=36500, description="Days that plants' entries are locked in the archive."
    )
    retain_directives_days: int = Field(
        DAYS_KEPT, ge=1, le=36500, description="Days that the hub's directives are locked in the archive."
    )
    retain_group_records_days: int = Field(
        DAYS_KEPT, ge=1, le=36500, description="Days that the hub's own ledger is locked in the archive."
    )
    retain_checkpoints_days: int = Field(
        DAYS_KEPT, ge=1, le=36500, description="Days that signed checkpoints are locked in the archive."
    )
    retain_unfinished_days: int = Field(
        DAYS_KEPT,
        ge=1,
        le=36500,
        description="Days that bundles which are not full yet are locked in the archive; full ones hold them again.",
    )
    keep_bodies_days: int = Field(
        DAYS_KEPT, ge=1, le=36500, description="Days that a plant keeps its entries whole before it may prune them."
    )
    metrics: Literal["nobody", "local", "everyone"] = Field(
        "local",
        description="Who may read /metrics: nobody, programs on this machine (not through a proxy), or everyone who "
        "reaches the node.",
    )
    graphiql: bool = Field(default=True, description="Serve the GraphiQL page, from our own files, at /graphql.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.role is Role.PLANT and not (self.plant_number and self.plant_code):
            raise ValueError(term("why", "a plant needs plant_number and plant_code"))
        if self.role is Role.HUB and (self.plant_number or self.plant_code or self.hub_url):
            raise ValueError(term("why", "plant_number, plant_code and hub_url are for plants, not for the hub"))
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(term("why", "tls_certificate and tls_key belong together"))
        if self.hub_url is not None and not is_address(self.hub_url):
            raise ValueError(term("why", "hub_url is not an address such as https://hub.example"))
        if self.broker_url is not None and not is_address(self.broker_url.get_secret_value()):
            # Not the library's text, which repeats a part of the address, perhaps of the password.
            raise ValueError(
                term("why", "broker_url is not an address such as redis://:password@host:6379/0 (write / as %2F)")
            )
        if self.hub_url is not None and not may_carry_secrets(self.hub_url):
            raise ValueError(term("why", "hub_url must begin with https:// unless the hub is on this machine"))
        if self.broker_url is not None and urlsplit(self.broker_url.get_secret_value()).scheme not in BROKER_SCHEMES:
            raise ValueError(term("why", "broker_url must begin with redis://, rediss://, amqp:// or amqps://"))
        return self

    @property
    def origin(self) -> str:
        """The origin of the node's own ledger."""
        return hub_origin(self.group) if self.role is Role.HUB else plant_origin(self.group, self.plant_code)

    @property
    def keys(self) -> Path:
        """The directory of the node's private keys."""
        return self.home / "keys"


def plant_origin(group: str, code: str) -> str:
    """Return the origin of a plant's ledger; the last part is its incarnation."""
    return f"{group}/plant/{code}/i1"


def hub_origin(group: str) -> str:
    """Return the origin of the hub's own ledger."""
    return f"{group}/hub/i1"


def directive_origin(group: str, code: str) -> str:
    """Return the origin of the ledger of directives from the hub to a plant."""
    return f"{group}/hub/to/{code}/i1"


def is_address(url: str) -> bool:
    """Return whether a URL has a scheme, and a valid host and port where it has any."""
    try:
        parts = urlsplit(url)
        return bool(parts.scheme) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def may_carry_secrets(url: str) -> bool:
    """Return whether tokens may be sent to a URL: over TLS, or to this machine."""
    if not is_address(url):
        return False
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def load(home: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in `batchloom.toml` of the home, overridden by those of the environment.

    The home is the argument or BATCHLOOM_HOME. Raises SettingsInvalid on a missing file, an unknown name or an
    invalid value.
    """
    given = {name[len(PREFIX) :].lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    place = home or (Path(given["home"]) if "home" in given else None)
    if place is None:
        raise SettingsInvalid(HOME_NEEDED, variable=f"{PREFIX}HOME")
    path = place / FILE_NAME
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsInvalid(HOME_UNPREPARED, home=place) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(SETTINGS_UNREADABLE, file=path, why=error) from error
    try:
        return Settings(**{**content, **given, "home": place})
    except ValidationError as error:
        problems = problems_of(error, Settings)
        raise SettingsInvalid(SETTINGS_WRONG, file=path, prefix=PREFIX, problems=problems) from error
