"""The routes of replication against a plant that lies: every wrong request gets its status, and nothing changes."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import zstandard

from api.http import replication
from auth.keys import SigningKey
from auth.notes import NoteSigner, generate_key
from auth.tokens import issue_assertion
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.events import canonical
from plants.rules.ledger.merkle import Frontier, leaf_hash, verify_consistency
from plants.rules.values.instants import format_instant
from plants.store.ledger.mirrors import rows_within
from plants.store.projection.registry import SUPPORTED
from sync_jobs.hub import intake
from sync_jobs.nodes import PlantNode
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import (
    BODY_BYTES_MAX,
    MEDIA_TYPE,
    Hello,
    LedgerPosition,
    Limits,
    Parcel,
    Position,
    pack,
    unpack,
)
from tests.databases import migrated_database
from tests.patience import patient, wait_until
from tests.sync_jobs.group import CLOCK, Group, receive, running_group, stand


@pytest.fixture
def group(postgres_18: EmbeddedPostgres, tmp_path: Path) -> Iterator[Group]:
    with running_group(migrated_database(postgres_18), tmp_path) as running:
        yield running


@dataclass
class Caller:
    """A plant that speaks the protocol by hand, so that it can say anything."""

    node: PlantNode
    client: httpx2.Client
    session: str = ""

    def ask(self, method: str, path: str, **request: Any) -> httpx2.Response:
        token = issue_assertion(
            self.node.assertion_key,
            origin=self.node.origin,
            hub_issuer=self.node.hub_key.name,
            clock=CLOCK,
        )
        headers = {"Authorization": f"Bearer {token}", "Batchloom-Protocol": "1", **request.pop("headers", {})}
        return self.client.request(method, f"{self.node.hub_url}/sync/v1{path}", headers=headers, **request)

    def hello(self, **changes: Any) -> httpx2.Response:
        size, root = stand(self.node.store, self.node.number)
        greeting = Hello(
            protocol=1,
            ledger=LedgerPosition.of(self.node.origin, Position(size, root)),
            supported=SUPPORTED,
            version="test",
            clock=format_instant(CLOCK.now()),
        )
        answer = self.ask("POST", "/hello", content=json.dumps({**json.loads(greeting.to_bytes()), **changes}))
        self.session = answer.json().get("session", self.session)
        return answer

    def bodies(self) -> list[bytes]:
        with self.node.store.transaction() as session:
            rows = rows_within(session, self.node.number, 0, 10_000, 10**9)
        return [body for body, _ in rows]

    def note(self, bodies: list[bytes], signer: NoteSigner | None = None, origin: str | None = None) -> bytes:
        frontier = Frontier().extend(map(leaf_hash, bodies))
        position = Position(frontier.size, frontier.root())
        signer = signer or self.node.signer
        return bytes(checkpoints.sign(origin or self.node.origin, position, signer, CLOCK.now()))

    def send(self, packed: bytes, start: object = 0, **changes: Any) -> httpx2.Response:
        origin = changes.pop("origin", self.node.origin)
        headers = {"Content-Type": MEDIA_TYPE, "Batchloom-Session": self.session, **changes}
        return self.ask("POST", f"/logs/{origin}/entries?from={start}", content=packed, headers=headers)

    def send_all(self) -> httpx2.Response:
        bodies = self.bodies()
        return self.send(pack(Parcel(tuple(bodies), self.note(bodies))))


@pytest.fixture
def caller(group: Group) -> Iterator[Caller]:
    with httpx2.Client() as client:
        one = Caller(group.plant(1, "SH1"), client)
        receive(one.node, 3)
        assert one.hello().status_code == 200
        yield one


def said(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_parcel_then_cosigned_receipt_and_again_the_same(group: Group, caller: Caller) -> None:
    for _ in range(3):
        answer = caller.send_all()
        assert (answer.status_code, answer.json()["size"]) == (200, 6)
        keys = (*checkpoints.keys_of(caller.node.signer.key), *checkpoints.keys_of(caller.node.hub_key))
        receipt = checkpoints.read(answer.json()["checkpoint"].encode(), caller.node.origin, keys)
        assert receipt.cosigned_by(group.hub.node.origin) is not None
        assert stand(group.hub.node.store, 1) == stand(caller.node.store, 1)


def test_overlapping_and_old_parcels_then_only_the_new_is_added(group: Group, caller: Caller) -> None:
    bodies = caller.bodies()
    for low, high in ((0, 2), (0, 4), (3, 4), (1, 3), (2, 6), (0, 6), (6, 6), (2, 2)):
        answer = caller.send(pack(Parcel(tuple(bodies[low:high]), caller.note(bodies[:high]))), low)
        assert answer.status_code == 200, answer.text
    assert stand(group.hub.node.store, 1) == stand(caller.node.store, 1)


def changed(body: bytes, **members: Any) -> bytes:
    return canonical({**json.loads(body), **members})


def test_parcels_that_lie_then_refused_and_nothing_changes(group: Group, caller: Caller) -> None:
    bodies = caller.bodies()
    assert caller.send(pack(Parcel(tuple(bodies[:3]), caller.note(bodies[:3])))).status_code == 200
    kept = stand(group.hub.node.store, 1)
    honest = caller.note(bodies)
    altered = changed(bodies[4], actor="somebody.else")
    swapped = [changed(bodies[4], index=3), changed(bodies[3], index=4), bodies[5]]
    other = NoteSigner(caller.node.origin, generate_key())
    elsewhere = NoteSigner("acme.example/plant/SZ2/i1", caller.node.signer.private_key)
    rewritten = [changed(bodies[0], actor="x"), *bodies[1:]]
    parcels = {
        "altered entry": ([bodies[3], altered, bodies[5]], honest, 3, 422, "ROOT_WRONG"),
        "dropped entry": ([bodies[3], bodies[5]], honest, 3, 422, "ENVELOPE_INVALID"),
        "entries reordered": ([bodies[4], bodies[3], bodies[5]], honest, 3, 422, "ENVELOPE_INVALID"),
        "entries swapped and renumbered": (swapped, honest, 3, 422, "ROOT_WRONG"),
        "old entry altered, all signed anew": (rewritten, caller.note(rewritten), 0, 422, "ENTRY_DIFFERS"),
        "old checkpoint of a fork": ([], caller.note([bodies[0], altered]), 2, 422, "ROOT_WRONG"),
        "shorter ledger signed": (bodies[3:5], honest, 3, 422, "CHECKPOINT_SIZE_WRONG"),
        "beyond our size": (bodies[4:], honest, 4, 409, "WRONG_POSITION"),
        "another's signature": (bodies[3:], caller.note(bodies, other), 3, 403, "CHECKPOINT_REFUSED"),
        "another's origin": (bodies[3:], caller.note(bodies, elsewhere, elsewhere.name), 3, 403, "CHECKPOINT_REFUSED"),
        "no note": (bodies[3:], b"", 3, 403, "CHECKPOINT_REFUSED"),
        "half a note": (bodies[3:], honest[: len(honest) // 2], 3, 403, "CHECKPOINT_REFUSED"),
        "another plant's entry": ([changed(bodies[3], plant=2)], honest, 3, 422, "ENVELOPE_INVALID"),
        "an entry too large": ([b"1" * 65_536], honest, 3, 413, "ENTRY_TOO_LARGE"),
        "too many entries": ([b"1"] * 8193, honest, 3, 413, "TOO_MANY_ENTRIES"),
    }
    for name, (entries, note, start, status, code) in parcels.items():
        assert said(caller.send(pack(Parcel(tuple(entries), note)), start)) == (status, code), name
        assert stand(group.hub.node.store, 1) == kept, name
    wrong = caller.send(pack(Parcel(tuple(bodies[4:]), honest)), 4).json()
    assert (wrong["size"], b64decode(wrong["root"])) == kept
    assert caller.send_all().status_code == 200


def test_largest_entry_then_taken_in(group: Group, caller: Caller) -> None:
    bodies = caller.bodies()
    empty = changed(bodies[0], index=6, payload="")
    largest = changed(bodies[0], index=6, payload="x" * (65_535 - len(empty)))
    assert len(largest) == 65_535
    everything = [*bodies, largest]
    assert caller.send(pack(Parcel(tuple(everything), caller.note(everything)))).status_code == 200
    assert stand(group.hub.node.store, 1)[0] == 7
    too_large = changed(bodies[0], index=7, payload="x" * (65_536 - len(empty)))
    answer = caller.send(pack(Parcel((too_large,), caller.note([*everything, too_large]))), 7)
    assert said(answer) == (413, "ENTRY_TOO_LARGE")
    assert stand(group.hub.node.store, 1)[0] == 7


def test_bodies_of_every_wrong_kind_then_refused(group: Group, caller: Caller) -> None:
    bodies = caller.bodies()
    packed = pack(Parcel(tuple(bodies), caller.note(bodies)))
    for length in range(0, len(packed), max(1, len(packed) // 40)):
        assert said(caller.send(packed[:length])) == (422, "BODY_INVALID"), length
    assert said(caller.send(b"not zstd")) == (422, "BODY_INVALID")
    assert said(caller.send(zstandard.compress(bytes(40_000_000)))) == (413, "BODY_TOO_LARGE")
    assert said(caller.send(bytes(BODY_BYTES_MAX + 1))) == (413, "BODY_TOO_LARGE")
    pieces = (bytes(1_000_000) for _ in range(18))
    assert said(caller.send(pieces)) == (413, "BODY_TOO_LARGE")  # type: ignore[arg-type]
    assert said(caller.send(packed, **{"Content-Type": "application/json"})) == (415, "MEDIA_TYPE_WRONG")
    for start in ("-1", "1.5", "x", "", "9" * 30, str(2**63)):
        assert said(caller.send(packed, start)) == (422, "POSITION_INVALID"), start
    assert stand(group.hub.node.store, 1)[0] == 0


def test_callers_who_are_not_the_plant_then_refused_before_their_body_is_read(group: Group, caller: Caller) -> None:
    bodies = caller.bodies()
    packed = pack(Parcel(tuple(bodies), caller.note(bodies)))
    other = Caller(group.plant(2, "SZ2"), caller.client, caller.session)
    assert said(other.send(packed, origin=caller.node.origin)) == (403, "FOREIGN_LEDGER")
    assert said(other.ask("GET", f"/logs/{caller.node.origin}/entries?from=0")) == (403, "FOREIGN_LEDGER")
    assert said(other.ask("GET", f"/logs/{caller.node.directive_origin}/checkpoint")) == (403, "FOREIGN_LEDGER")
    assert said(other.ask("GET", "/logs/acme.example/hub/i1/entries?from=0")) == (403, "FOREIGN_LEDGER")
    assert said(other.ask("GET", "/logs/nobody/consistency?old=0&new=0")) == (403, "FOREIGN_LEDGER")
    for authorization in ("", "Bearer", "Bearer x.y.z", "Basic eDp5", "bearer x"):
        answer = caller.send(packed, Authorization=authorization)
        assert said(answer) == (401, "NOT_RECOGNISED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    stranger = issue_assertion(
        SigningKey(generate_key()), origin=caller.node.origin, hub_issuer=group.hub.node.origin, clock=CLOCK
    )
    assert said(caller.send(packed, Authorization=f"Bearer {stranger}")) == (401, "NOT_RECOGNISED")
    used = issue_assertion(
        caller.node.assertion_key, origin=caller.node.origin, hub_issuer=group.hub.node.origin, clock=CLOCK
    )
    assert caller.send(packed, Authorization=f"Bearer {used}").status_code == 200
    assert said(caller.send(packed, Authorization=f"Bearer {used}")) == (401, "NOT_RECOGNISED")
    assert stand(group.hub.node.store, 2)[0] == 0


def test_session_superseded_then_the_older_one_is_fenced(group: Group, caller: Caller) -> None:
    older = caller.session
    assert caller.hello().status_code == 200
    caller.session, newer = older, caller.session
    caller.session = ""
    assert said(caller.send_all()) == (409, "SESSION_SUPERSEDED")
    assert stand(group.hub.node.store, 1)[0] == 0
    caller.session = newer
    assert caller.send_all().status_code == 200
    caller.session = older
    assert said(caller.send_all()) == (409, "SESSION_SUPERSEDED")


def test_greetings_that_are_wrong_then_refused(caller: Caller) -> None:
    assert said(caller.ask("POST", "/hello", content=b"{")) == (422, "MESSAGE_INVALID")
    assert said(caller.ask("POST", "/hello", content=b"[" * 300_000)) == (422, "MESSAGE_INVALID")
    assert said(caller.ask("POST", "/hello", content=b" " * 600_000)) == (413, "BODY_TOO_LARGE")
    assert said(caller.hello(protocol=0)) == (422, "MESSAGE_INVALID")
    foreign = {"origin": "acme.example/plant/SZ2/i1", "size": 0, "root": "A" * 43 + "="}
    assert said(caller.hello(ledger=foreign)) == (403, "FOREIGN_LEDGER")
    assert said(caller.hello(ledger={**foreign, "size": -1})) == (422, "MESSAGE_INVALID")
    answer = caller.ask("POST", "/hello", content=b"{}", headers={"Batchloom-Protocol": "0"})
    assert said(answer) == (426, "PROTOCOL_TOO_OLD")
    assert caller.hello(cosignatures=["not a note"], newer_member=[1]).status_code == 200


def test_own_tail_then_given_back_with_its_proof(caller: Caller) -> None:
    bodies, origin = caller.bodies(), caller.node.origin
    assert said(caller.ask("GET", f"/logs/{origin}/checkpoint")) == (404, "NO_CHECKPOINT")
    caller.send(pack(Parcel(tuple(bodies[:4]), caller.note(bodies[:4]))))
    caller.send_all()
    answer = caller.ask("GET", f"/logs/{origin}/entries?from=2&to=5")
    parcel = unpack(answer.content, Limits())
    assert list(parcel.bodies) == bodies[2:5]
    keys = checkpoints.keys_of(caller.node.signer.key)
    newest = checkpoints.read(parcel.note, origin, keys).checkpoint
    assert (newest.size, newest.root) == stand(caller.node.store, 1)
    assert caller.ask("GET", f"/logs/{origin}/checkpoint").content == parcel.note
    proof = caller.ask("GET", f"/logs/{origin}/consistency?old=4&new=6").json()["hashes"]
    old = Frontier().extend(map(leaf_hash, bodies[:4]))
    assert verify_consistency(4, old.root(), 6, newest.root, [b64decode(part) for part in proof])
    assert said(caller.ask("GET", f"/logs/{origin}/entries?from=7")) == (409, "WRONG_POSITION")
    assert said(caller.ask("GET", f"/logs/{origin}/entries?from=3&to=2")) == (422, "POSITION_INVALID")
    assert said(caller.ask("GET", f"/logs/{origin}/consistency?old=4&new=7")) == (409, "WRONG_POSITION")
    assert said(caller.ask("GET", f"/logs/{origin}/consistency?old=4&new=3")) == (422, "POSITION_INVALID")


def test_directives_then_signed_by_the_hub_for_exactly_what_is_given(caller: Caller) -> None:
    origin = caller.node.directive_origin
    parcel = unpack(caller.ask("GET", f"/logs/{origin}/entries?from=0").content, Limits())
    keys = checkpoints.keys_of(caller.node.hub_key, origin)
    assert parcel.bodies == ()
    assert checkpoints.read(parcel.note, origin, keys).checkpoint.size == 0
    packed = pack(Parcel((), caller.note([])))
    assert said(caller.send(packed, origin=origin)) == (403, "CHECKPOINT_REFUSED"), "the hub has not signed it"


def test_plant_that_stops_in_the_middle_then_only_itself_waits_and_not_for_long(
    group: Group, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "STILL_SECONDS_MAX", 6)
    bodies = caller.bodies()
    packed = pack(Parcel(tuple(bodies), caller.note(bodies)))
    inside, go_on = threading.Event(), threading.Event()
    take_slot = intake.AdmissionControl.plant_slot
    answers: list[httpx2.Response] = []

    @contextmanager
    def noticed(control: intake.AdmissionControl, plant: int) -> Iterator[None]:
        with take_slot(control, plant):
            inside.set()
            yield

    def halting() -> Iterator[bytes]:
        yield packed[:100]
        go_on.wait(patient(60))

    def stall() -> None:
        with httpx2.Client() as client:
            slow = Caller(caller.node, client, caller.session)
            answers.append(slow.send(halting()))  # type: ignore[arg-type]

    monkeypatch.setattr(intake.AdmissionControl, "plant_slot", noticed)
    thread = threading.Thread(target=stall)
    thread.start()
    assert inside.wait(patient(30)), "the slow one holds its plant's place"
    answer = caller.send(packed)
    assert said(answer) == (429, "ONE_AT_A_TIME")
    assert answer.headers["Retry-After"] == "1"
    other = Caller(group.plant(2, "SZ2"), caller.client)
    other.hello()
    assert other.send_all().status_code == 200
    answer = wait_until(lambda: one if (one := caller.send(packed)).status_code != 429 else None, "the place is free")
    assert answer.status_code == 200
    go_on.set()
    thread.join()
    assert said(answers[0]) == (408, "BODY_STALLED")
    assert stand(group.hub.node.store, 1) == stand(caller.node.store, 1)
