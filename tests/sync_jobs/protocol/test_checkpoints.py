"""The time of a checkpoint is the one that its signer wrote, as far as a calendar has it."""

from datetime import UTC, datetime

import pytest

from auth.notes import NoteSigner, generate_key, sign_checkpoint
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.notes import Checkpoint
from sync_jobs.protocol import checkpoints

ORIGIN = "acme.example/plant/SH1/i1"
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "seconds, signed",
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_773_475_200, datetime(2026, 3, 14, 8, tzinfo=UTC)),
        (checkpoints.LATEST_SECONDS, END_OF_TIME),
        (checkpoints.LATEST_SECONDS + 1, END_OF_TIME),
        (2**62, END_OF_TIME),
    ],
)
def test_given_the_time_of_a_signer_then_it_is_an_instant_up_to_the_end_of_the_calendar(
    seconds: int, signed: datetime
) -> None:
    signer = NoteSigner(ORIGIN, generate_key())
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, Frontier().root()), signer)
    keys = checkpoints.keys_of(signer.key)
    assert checkpoints.signed_at(checkpoints.read(bytes(note), ORIGIN, keys)) is None
    timed = note.signed_also(signer.cosign(note, seconds))
    assert checkpoints.signed_at(checkpoints.read(bytes(timed), ORIGIN, keys)) == signed
