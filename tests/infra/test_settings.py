"""Settings: read once, from the home and the environment; unknown names and unfit values are refused."""

import json
import re
from pathlib import Path

import pytest

from infra.messages import word
from infra.settings import PREFIX, Settings, SettingsInvalid, directive_origin, load, may_carry_secrets
from infra.settings_errors import FORMS

PLANT = 'role = "plant"\ngroup = "acme.example"\nplant_number = 1\nplant_code = "SH1"\n'


def home(tmp_path: Path, content: str) -> Path:
    (tmp_path / "batchloom.toml").write_text(content, encoding="utf-8")
    return tmp_path


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    settings = load(home(tmp_path, PLANT + "port = 9000\n"), {f"{PREFIX}PORT": "9100", "PATH": "/bin"})

    assert (settings.port, settings.plant_code, settings.origin) == (9100, "SH1", "acme.example/plant/SH1/i1")
    assert directive_origin("acme.example", "SH1") == "acme.example/hub/to/SH1/i1"


def test_the_home_can_come_from_the_environment(tmp_path: Path) -> None:
    assert load(environ={f"{PREFIX}HOME": str(home(tmp_path, PLANT))}).home == tmp_path


@pytest.mark.parametrize(
    "content, environ, said",
    [
        ("", {}, "role"),
        (PLANT, {"PORTT": "1"}, "portt"),
        (PLANT, {"PORT": "high"}, "port"),
        (PLANT + "port = 70000\n", {}, "port"),
        (PLANT + 'hub_url = "http://hub.example"\n', {}, "https"),
        (PLANT + 'tls_key = "key.pem"\n', {}, "tls_certificate"),
        (PLANT + 'broker_url = "foo://x"\n', {}, "broker_url must begin with redis"),
        (PLANT, {"BROKER_URL": "redis://:hunter2@localhost:notaport/0"}, "broker_url is not an address"),
        (PLANT, {"BROKER_URL": "redis://:hunter2@[::1/0"}, "broker_url is not an address"),
        (PLANT + 'hub_url = "https://hub.example:notaport"\n', {}, "hub_url is not an address"),
        ('role = "plant"\ngroup = "acme.example"\n', {}, "plant_number"),
        ('role = "hub"\ngroup = "acme.example"\nplant_number = 1\n', {}, "not for the hub"),
        ("role = ", {}, "batchloom.toml"),
    ],
)
def test_unfit_settings_are_refused_by_name(tmp_path: Path, content: str, environ: dict[str, str], said: str) -> None:
    given = {PREFIX + name: value for name, value in environ.items()}

    with pytest.raises(SettingsInvalid, match=said):
        load(home(tmp_path, content), given)


def test_a_secret_is_not_in_what_is_said_of_settings(tmp_path: Path) -> None:
    url = "postgresql://batchloom:hunter2@db/plant"  # the user's password is in the address
    settings = load(home(tmp_path, PLANT), {f"{PREFIX}DATABASE_URL": url})

    assert "hunter2" not in repr(settings)
    with pytest.raises(SettingsInvalid) as failure:
        load(home(tmp_path, PLANT), {f"{PREFIX}DATABASE_URL": url, f"{PREFIX}PORT": "x"})
    assert "hunter2" not in str(failure.value)


def test_a_directory_without_settings_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="init"):
        load(tmp_path)


@pytest.mark.parametrize(
    "url, may",
    [
        ("https://hub.example", True),
        ("http://localhost:8700", True),
        ("http://127.0.0.1:8700", True),
        ("http://[::1]:8700", True),
        ("http://hub.example", False),
        ("http://localhost.hub.example", False),
        ("ftp://127.0.0.1", False),
        ("hub.example", False),
    ],
)
def test_secrets_leave_the_machine_over_tls_alone(url: str, *, may: bool) -> None:
    assert may_carry_secrets(url) is may


INVALID = {
    "foo": "foo: there is no such setting",
    "role": "role: must be one of: plant, hub",
    "group": "group: must be a domain name of at most 100 characters a-z, 0-9, dot and hyphen",
    "plant_number": "plant_number: must be a whole number",
    "plant_code": "plant_code: must be 2 to 4 characters A-Z and 0-9",
    "database_url": "database_url: must be a text",
    "port": "port: must be at most 65535",
    "push_seconds": "push_seconds: must be more than 0",
    "checkpoint_seconds": "checkpoint_seconds: must be a number",
    "transfer_overdue_days": "transfer_overdue_days: must be at least 1",
    "archive_lock": "archive_lock: must be one of: required, preferred",
    "postgresql_bin": "postgresql_bin: must be a text",
    "graphiql": "graphiql: must be true or false",
}
VALUES = {"port": 70000, "push_seconds": 0, "transfer_overdue_days": 0, "database_url": 7, "postgresql_bin": 7}


def test_each_kind_of_invalid_setting_then_it_is_said_in_both_languages(tmp_path: Path) -> None:
    lines = "".join(f"{name} = {VALUES.get(name, json.dumps('odd value'))}\n" for name in INVALID)
    with pytest.raises(SettingsInvalid) as failure:
        load(home(tmp_path, lines), {})
    assert set(str(failure.value).partition("*): ")[2].split("; ")) == set(INVALID.values())
    chinese = word(failure.value, "zh")
    assert not re.search("must|such|one of|character|number", chinese.replace("plant_number", "")), chinese


def test_every_error_of_a_setting_has_words() -> None:
    """No text of pydantic's is shown: each constraint of a field has words, and the fallback names the setting."""
    patterns = {
        name for name, one in Settings.model_fields.items() if any(hasattr(each, "pattern") for each in one.metadata)
    }
    assert patterns == set(FORMS)
    assert all(one.description for one in Settings.model_fields.values())
