"""Attribute names are the only keys of entries that users choose: new ones sort as RFC 8785 sorts, old ones stay."""

from pathlib import Path
from typing import Final

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from plants.commands.execution import Command, PlantLedgerWriter
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import (
    ALIAS_LENGTH_MAX,
    ATTRIBUTES_MAX,
    Delivery,
    check_attributes,
    receive_batch,
)
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.replication.rebuild import rebuild
from plants.rules.inventory.events import BATCH_RECEIVED, BatchReceived
from plants.rules.ledger.events import Entry, canonical
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.values.refusals import TEXT_INVALID, Refusal
from plants.store.ledger.verification import verify
from plants.store.projection.rebuilding import table_digests
from tests.factories import Plant, plant_store
from tests.plants.replicas import hub_beside

# In code points U+FF21 comes before U+1F404, in UTF-16 code units it comes after.
APART: Final = {"\uff21": "wide A", "\U0001f404": "cow"}
ORDER: Final = Delivery("RM-MILK", "100", "KGM", "A1", attributes=APART)
NAMES: Final = st.text(st.characters() | st.sampled_from("aZ0脂ﬁＡ￥\ue000\uffff𠀀🐄"), max_size=6)


def is_accepted(name: str) -> bool:
    try:
        check_attributes({name: "x"})
    except Refusal as refusal:
        return refusal.code is not TEXT_INVALID
    return True


@given(st.dictionaries(NAMES.filter(is_accepted), st.text(max_size=3), max_size=ATTRIBUTES_MAX))
def test_accepted_names_then_entries_are_those_of_rfc_8785(attributes: dict[str, str]) -> None:
    check_attributes(attributes)

    assert canonical(attributes) == rfc8785.dumps(attributes)


@given(NAMES)
def test_name_then_it_is_refused_from_u_10000_on_and_as_before_below(name: str) -> None:
    printable = name.strip() != "" and len(name) <= ALIAS_LENGTH_MAX and name.isprintable()
    assert is_accepted(name) is (printable and all(ord(character) < 0x10000 for character in name))


def written_before(plain: Entry) -> Command[Delivery]:
    """Return the command as it was while every name was accepted: it writes what `plain` says, for other attributes."""

    def receive_batch(writer: PlantLedgerWriter, order: Delivery) -> Entry:
        (batch,) = plain.payload["batches"]
        batches = [{**batch, "attributes": dict(order.attributes)}]
        payload: BatchReceived = plain.payload | {"batches": batches}
        return writer.record(BATCH_RECEIVED, batch["code"], payload)

    return Command("receive_batch", receive_batch)


@pytest.fixture
def plain(tmp_path: Path) -> Entry:
    """The entry of the first delivery at a plant, without attributes."""
    (tmp_path / "twin").mkdir()
    twin = plant_store(tmp_path / "twin")
    entry = twin.do(receive_batch, Delivery("RM-MILK", "100", "KGM", "A1"))
    twin.close()
    return entry


def test_names_recorded_before_then_the_entry_verifies_applies_and_its_goods_move_on(
    here: Plant, there: Plant, plain: Entry, tmp_path: Path
) -> None:
    entry = here.do(written_before(plain), ORDER)
    code = str(entry.envelope["key"])
    assert b'{"\xef\xbc\xa1":"wide A","\xf0\x9f\x90\x84":"cow"}' in entry.body
    assert rfc8785.dumps(dict(APART)) not in entry.body
    assert here.batch(code)["attributes"] == canonical(APART).decode()

    split = here.do(split_batch, Split(code, "A1", (SplitPart("10", "B1"),)))
    part = str(split.payload["batches"][0]["code"])
    sent = here.do(dispatch_transfer, Dispatch("NB1", (StockLine(part, "10", "KGM", "B1"),)))
    there.do(receive_transfer, TransferReceipt(transfer_manifest(sent, here.origin), "A1"))
    assert there.batch(part)["attributes"] == canonical(APART).decode()

    with hub_beside(tmp_path, here, there) as hub:
        assert hub.desk(here).batch(code)["attributes"] == canonical(APART).decode()
        for store in (here.store, there.store, hub.store):
            assert all(one.whole for one in verify(store))
            digests = table_digests(store)
            with store.transaction() as session:
                rebuild(session)
            assert table_digests(store) == digests


def test_request_recorded_before_then_its_retry_is_answered_and_a_new_one_refused(here: Plant, plain: Entry) -> None:
    request = "01a2046a-bed2-716b-bb25-0e062182caaf"
    entry = here.do(written_before(plain), ORDER, request=request)
    before = here.everything()

    assert here.do(receive_batch, ORDER, request=request).body == entry.body
    assert here.everything() == before
    data = here.refuses(receive_batch, ORDER, TEXT_INVALID, request=f"{request[:-1]}e")
    assert data["field"] == "attribute"
