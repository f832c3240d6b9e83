"""Settings: read once, from the home and the environment; unknown names and unfit values are refused."""

from pathlib import Path

import pytest

from infra.settings import PREFIX, SettingsInvalid, directive_origin, load, may_carry_secrets

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
