"""Refusals of codes."""

from typing import Final

from plants.rules.values.refusals import refusal

BATCH_CODE_INVALID: Final = refusal(
    "BATCH_CODE_INVALID",
    "“{code}” is not a batch code: {why}. Scan the label again.",
    code="Batch code in the request.",
    why="Rule that the code breaks.",
)
CODE_INVALID: Final = refusal(
    "CODE_INVALID",
    "“{code}” cannot be the code of a {thing}: use {rule}.",
    code="Code in the request.",
    thing="Kind of thing that the code names.",
    rule="Accepted codes.",
)
CODE_TAKEN: Final = refusal(
    "CODE_TAKEN",
    "The code {code} is already used for another {thing}. Choose another code.",
    code="Code in the request.",
    thing="Kind of thing that has the code.",
)
