"""Ceph's S3 gateway on one machine: a monitor, a store in memory and the gateway, in a folder that is thrown away."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx2

from tests.patience import Limit, patient
from tests.sync_jobs.group import free_port

PROGRAMS: Final = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
SECONDS_MAX: Final = 120
STORE_BYTES: Final = 1 << 30
KEY: Final = "test"
# Without keys nothing can be encrypted, which the gateway asks for by default: hence "crc".
CONFIGURATION: Final = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = {folder}
log file = {folder}/$name.log
pid file = {folder}/$name.pid
admin socket = {folder}/$name.asok
mon data = {folder}/mon
mon allow pool size one = true
mon data avail warn = 1
mon data avail crit = 1
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {store_bytes}
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{s3}
rgw enable usage log = false
"""


class CephUnavailable(Exception):
    """The gateway could not be started; the text says how far it came."""


@contextmanager
def running_ceph(folder: Path) -> Iterator[str]:
    """Yield the gateway's address, with one user whose key and secret are both KEY; raises CephUnavailable."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise CephUnavailable(f"{', '.join(missing)} not installed (apt-get install radosgw ceph-mon ceph-osd)")
    v1, v2, s3 = free_port(), free_port(), free_port()
    fsid = str(uuid.uuid4())
    path = folder / "ceph.conf"
    path.write_text(
        CONFIGURATION.format(fsid=fsid, folder=folder, v1=v1, v2=v2, s3=s3, store_bytes=STORE_BYTES), encoding="utf-8"
    )
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    with ExitStack() as running:
        address = f"[v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]"
        _run(path, "monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, str(folder / "map"))
        _run(path, "ceph-mon", "--mkfs", "-i", "a", "--monmap", str(folder / "map"))
        _start(running, path, "ceph-mon", "-i", "a")
        _run(path, "ceph", "osd", "create")
        _run(path, "ceph-osd", "-i", "0", "--mkfs")
        _start(running, path, "ceph-osd", "-i", "0")
        _run(path, "radosgw-admin", "user", "create", "--uid=test", "--display-name=Test",
             f"--access-key={KEY}", f"--secret={KEY}")  # fmt: skip
        _start(running, path, "radosgw", "-n", "client.admin")
        endpoint = f"http://127.0.0.1:{s3}"
        _wait_for(endpoint)
        yield endpoint


def _run(path: Path, program: str, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [program, *arguments, *(() if program == "monmaptool" else ("--conf", str(path)))],
            capture_output=True, text=True, timeout=patient(SECONDS_MAX), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CephUnavailable(f"{program} {arguments[0]} did not end in {SECONDS_MAX} s") from error
    if done.returncode:
        raise CephUnavailable(f"{program} {' '.join(arguments[:3])}: {done.stderr[-500:]}")


def _start(running: ExitStack, path: Path, program: str, *arguments: str) -> None:
    output = running.enter_context((path.parent / f"{program}.out").open("wb"))
    process = subprocess.Popen(
        [program, "-f", *arguments, "--conf", str(path)], stdout=output, stderr=output, stdin=subprocess.DEVNULL
    )
    running.callback(process.wait)
    running.callback(process.kill)


def _wait_for(endpoint: str) -> None:
    limit = Limit(SECONDS_MAX)
    while True:
        try:
            httpx2.get(endpoint, timeout=5, trust_env=False)
        except httpx2.TransportError as error:
            if limit.left() < 0:
                raise CephUnavailable(f"the gateway did not answer within {SECONDS_MAX} s") from error
            time.sleep(0.2)
        else:
            return
