"""A parcel that ends before the ledger does states until when it was the whole ledger."""

from dataclasses import replace
from datetime import timedelta

from infra.clock import FixedClock
from plants.rules.values.instants import parse_instant
from plants.store.ledger.entries import entry_at
from plants.store.replication.status import checkpoint_at
from sync_jobs.plant.exchange import exchange
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Limits
from tests.sync_jobs.group import CLOCK, Group, receive, stand


def test_a_ledger_sent_in_parcels_then_each_is_signed_for_the_time_until_which_it_is_whole(group: Group) -> None:
    node = group.plant(1, "SH1")
    receive(node, 6)
    clock = FixedClock(CLOCK.now())
    clock.advance(seconds=3)
    group.hub.stop()
    group.hub.node = replace(group.hub.node, limits=Limits(max_entries=4))
    group.hub.start()
    size = stand(node.store, 1)[0]
    assert exchange(replace(node, clock=clock)).sent == size == 9
    with group.hub.node.store.transaction() as session:
        notes = {at: checkpoint_at(session, 1, at) for at in (4, 8, 9)}
    with node.store.transaction() as session:
        beyond = {at: entry_at(session, 1, at) for at in (4, 8)}
    until = {}
    for at, note in notes.items():
        assert note is not None
        until[at] = checkpoints.signed_at(checkpoints.read(note, node.origin, checkpoints.keys_of(node.signer.key)))
    assert until[9] == clock.now().replace(microsecond=0)
    for at, entry in beyond.items():
        assert entry is not None
        recorded, signed = parse_instant(entry.envelope["recorded_at"]), until[at]
        assert signed is not None
        assert recorded - timedelta(microseconds=1_000_001) <= signed < recorded
