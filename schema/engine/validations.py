"""Validation of a mutation: its command runs and is rolled back, so that only its refusals are learned."""

from datetime import datetime

from schema.engine.fields import described, object_type
from schema.engine.scalars import EventType


@object_type
class Validated:
    """The mutation would not be refused now. Nothing was written, and the request id can still be used."""

    validated_at: datetime = described("Time of the validation. Another request may have changed the goods since.")
    event_type: EventType = described("Type of the entry that the mutation would record.")
    already_recorded: bool = described(
        "True if this request id was recorded before. The mutation would return that first answer."
    )


class ValidationEnded(Exception):
    """Ends a validation that met no refusal: rolls the command back and carries the answer."""

    def __init__(self, answer: Validated) -> None:
        super().__init__("validated")
        self.answer = answer
