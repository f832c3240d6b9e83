"""Refusals of codes."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import CODE, message, refusal

BATCH_CODE_CHARACTERS: Final = message("BATCH_CODE_CHARACTERS", "it has a character that GS1 does not allow")
BATCH_CODE_CHECK: Final = message("BATCH_CODE_CHECK", "its last character is not its check character")
BATCH_CODE_LENGTH: Final = message("BATCH_CODE_LENGTH", "it must have from 1 to {limit} characters")
RULE_MASTER_CODE: Final = message(
    "RULE_MASTER_CODE",
    "1 to {limit} of A-Z, 0-9, dot, underscore and hyphen, the first a letter or digit",
)
RULE_PLANT_CODE: Final = message("RULE_PLANT_CODE", "2 to 4 of A-Z and 0-9")

BATCH_CODE_INVALID: Final = refusal(
    "BATCH_CODE_INVALID",
    "“{code}” is not a batch code: {why}. Scan the label again.",
    code=CODE,
    why=Datum("Rule that the code breaks.", DatumKind.PHRASE, "rule"),
)
CODE_INVALID: Final = refusal(
    "CODE_INVALID",
    "“{code}” cannot be the code of a {thing}: use {rule}.",
    code=CODE,
    thing="Kind of thing that the code names.",
    rule=Datum("Accepted codes.", DatumKind.PHRASE),
)
CODE_TAKEN: Final = refusal(
    "CODE_TAKEN",
    "The code {code} is already used for another {thing}. Choose another code.",
    code=CODE,
    thing="Kind of thing that has the code.",
)
