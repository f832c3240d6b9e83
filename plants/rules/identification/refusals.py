"""Refusals of codes."""

from typing import Final

from plants.rules.values.refusals import CODE, Datum, refusal

BATCH_CODE_INVALID: Final = refusal(
    "BATCH_CODE_INVALID",
    "“{code}” is not a batch code: {why}. Scan the label again.",
    code=CODE,
    why=Datum("Rule that the code breaks.", name="rule"),
)
CODE_INVALID: Final = refusal(
    "CODE_INVALID",
    "“{code}” cannot be the code of a {thing}: use {rule}.",
    code=CODE,
    thing="Kind of thing that the code names.",
    rule="Accepted codes.",
)
CODE_TAKEN: Final = refusal(
    "CODE_TAKEN",
    "The code {code} is already used for another {thing}. Choose another code.",
    code=CODE,
    thing="Kind of thing that has the code.",
)
