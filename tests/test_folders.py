"""Folders of tests: in memory where there is room, elsewhere where the caller chose so."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.folders import BYTE_CODE, choose_folders, has_room


@pytest.fixture
def unchosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment before anything is chosen; it is as it was after the test."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "elsewhere")
    monkeypatch.setenv("TMPDIR", "another")  # so that it is put back, also where it was not set.
    monkeypatch.delenv("TMPDIR")


@pytest.mark.usefixtures("unchosen")
def test_room_there_then_it_is_taken_and_processes_share_compiled_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.folders.ROOM_BYTES", 1)
    choose_folders(tmp_path)
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(tmp_path)
    shown = "import sys, tempfile; print(sys.pycache_prefix, sys.dont_write_bytecode, tempfile.gettempdir())"
    said = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(BYTE_CODE), "False", str(tmp_path)]


@pytest.mark.usefixtures("unchosen")
def test_too_little_room_or_none_or_another_chosen_then_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_folders(tmp_path / "none")
    monkeypatch.setattr("tests.folders.ROOM_BYTES", 2**60)
    assert not has_room(tmp_path)
    choose_folders(tmp_path)
    assert "TMPDIR" not in os.environ
    monkeypatch.setattr("tests.folders.ROOM_BYTES", 1)
    monkeypatch.setenv("TMPDIR", "/")
    choose_folders(tmp_path)
    assert os.environ["TMPDIR"] == "/"
