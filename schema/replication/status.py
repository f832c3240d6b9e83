"""Replication status of plants."""

from datetime import datetime
from typing import Final, Self

from infra.messages import Language, StoredMessage
from plants.store.replication.status import PlantReplication, ReplicationState
from schema.engine.fields import described, enum_type, object_type
from schema.engine.scalars import Code, Sha256

enum_type(ReplicationState)


ALARMS_MAX: Final = 20


@object_type
class ReplicationAlarm:
    """A condition of replication that needs an operator."""

    code: Code | None = described("Code of the message. Null for one of an older program.")
    message: str = described("Description and remedy, in the caller's language.")

    @classmethod
    def of(cls, said: StoredMessage, language: Language) -> Self:
        return cls(code=said.code, message=said.word(language))


@object_type
class Replication:
    """Replication status of a plant's ledger and directives, as this node knows it."""

    state: ReplicationState = described("State of replication.")
    size: int = described("Number of entries of the plant's ledger at this node.")
    root: Sha256 = described("Root hash of the Merkle tree over those entries.")
    projected: int = described("Number of those entries that are applied to the tables.")
    acknowledged: int = described("Number of entries that the hub holds and has cosigned.")
    checkpoint_size: int | None = described("Size in the newest signed checkpoint.")
    checkpoint_at: datetime | None = described("Time at which the plant signed its newest checkpoint.")
    lag_seconds: int | None = described(
        "Age of the newest checkpoint in seconds. Later entries of the plant may be missing here. "
        "Null without a checkpoint."
    )
    contact_at: datetime | None = described("Time of the last contact between the two sides.")
    directives: int = described("Number of directives that the hub has for the plant.")
    directives_acknowledged: int = described("Number of those directives that the plant has received.")
    faults: int = described("Number of entries that could not be applied.")
    alarms: list[ReplicationAlarm] = described(f"Conditions that need an operator. There are at most {ALARMS_MAX}.")
    waiting: int = described("Number of entries that the hub has not cosigned yet.")
    error: str | None = described("Error of the last exchange. Null if it succeeded.")
    attempts: int = described("Number of failed exchanges since the last success.")
    next_attempt_at: datetime | None = described("Time of the next automatic exchange. Null if the last one succeeded.")
    fenced: bool = described("True if the plant has stopped writing, because another copy of it is the active one.")
    conflicting: int = described("Number of conflicting entries after repairs that need an operator.")
    archived: int | None = described("Number of archived entries, as far as this node knows. Null if unknown.")
    entries_per_second: float | None = described(
        "Entries per second that were moved recently. Null if none remain or none moved."
    )
    seconds_left: int | None = described(
        "Seconds until the remaining entries are moved at that rate. Null without a rate."
    )

    @classmethod
    def of(cls, seen: PlantReplication, language: Language) -> Self:
        alarms = [ReplicationAlarm.of(one, language) for one in seen.alarms[:ALARMS_MAX]]
        return cls(
            state=seen.state,
            size=seen.size,
            root=Sha256(seen.root.hex()),
            projected=seen.projected,
            acknowledged=seen.acknowledged,
            checkpoint_size=seen.checkpoint_size,
            checkpoint_at=seen.checkpoint_at,
            lag_seconds=seen.lag_seconds,
            contact_at=seen.contact_at,
            directives=seen.directives,
            directives_acknowledged=seen.directives_acknowledged,
            faults=seen.faults,
            alarms=alarms,
            waiting=seen.waiting,
            error=seen.error,
            attempts=seen.attempts,
            next_attempt_at=seen.next_attempt_at,
            fenced=seen.fenced,
            conflicting=seen.disputed,
            archived=seen.archived,
            entries_per_second=seen.entries_per_second,
            seconds_left=seen.seconds_left,
        )
