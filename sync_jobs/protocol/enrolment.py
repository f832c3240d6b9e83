"""Messages of enrolment: a plant's request with its public keys, and the route that accepts it."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

PATH: Final = "/sync/v1/enrol"


BODY_BYTES_MAX: Final = 4096


HEADING: Final = "batchloom.enrolment/v1"


class EnrolmentRequest(BaseModel):
    """A plant's request: its code, the secret part of the one-time code, and its two public keys."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plant: str = Field(max_length=4)
    secret: str = Field(max_length=60)
    ledger_key: str = Field(max_length=43)
    assertion_key: str = Field(max_length=43)
