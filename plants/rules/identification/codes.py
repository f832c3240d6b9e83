"""Plant codes, batch codes and their check character, and the ids that put a plant's number first."""

import re
from datetime import date

from plants.rules.identification.refusals import (
    BATCH_CODE_CHARACTERS,
    BATCH_CODE_CHECK,
    BATCH_CODE_INVALID,
    BATCH_CODE_LENGTH,
    CODE_INVALID,
    RULE_MASTER_CODE,
    RULE_PLANT_CODE,
)
from plants.rules.values.refusals import Refusal

PLANT_CODE_PATTERN = re.compile(r"[A-Z0-9]{2,4}", re.ASCII)
PLANT_NUMBER_MAX = 8191  # keeps every id below 2**53, the largest integer that JSON readers agree on (RFC 8785).
NODE_NUMBER_BITS = 40
NODE_ID_MIN = 1 << NODE_NUMBER_BITS  # of plant 1
NODE_IN_TEXT = re.compile(r"(?:^|:)(\d{13,16})$")  # a node id as a whole text, or at its end behind a colon
HUB = 0  # the hub's own number where a plant's number is asked for.

BATCH_CODE_LENGTH_MAX = 20  # GS1 application identifier (10): X..20
MASTER_CODE_LENGTH_MAX = 20
COUNTER_DIGITS = 4
CHECK_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # ISO/IEC 7064, MOD 37,36

# GS1 General Specifications, figure 7.11-1: the invariant subset of ISO/IEC 646 (character set 82).
GS1_SET_82 = frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
RESERVED = 500  # numbers of a series that are reserved at a time
DAY_RESERVED = 50  # the same of one day's batch codes, of which a label shows the gap
MASTER_CODE_PATTERN = re.compile(r"[A-Z0-9][A-Z0-9._-]*", re.ASCII)


def plant_code(text: str) -> str:
    """Return the text when it is a plant code (2 to 4 of A-Z and 0-9), or raise Refusal."""
    if not PLANT_CODE_PATTERN.fullmatch(text):
        raise Refusal(CODE_INVALID, code=text[:40], thing="plant", rule=RULE_PLANT_CODE())
    return text


def master_code(text: str, thing: str) -> str:
    """Return the text when it can be the code of a material, location or the like, or raise Refusal."""
    if len(text) > MASTER_CODE_LENGTH_MAX or not MASTER_CODE_PATTERN.fullmatch(text):
        raise Refusal(
            CODE_INVALID,
            code=text[:40],
            thing=thing,
            rule=RULE_MASTER_CODE(limit=MASTER_CODE_LENGTH_MAX),
        )
    return text


def check_character(text: str) -> str:
    """Return the ISO/IEC 7064 MOD 37,36 check character over the letters and digits of the text.

    Letters count as capitals. All other characters are ignored, so separators may be anywhere.
    """
    product = 36
    for character in text.upper():
        value = CHECK_ALPHABET.find(character)
        if value < 0:
            continue
        total = (product + value) % 36 or 36
        product = total * 2 % 37
    return CHECK_ALPHABET[(37 - product) % 36]


def has_valid_check(text: str) -> bool:
    """Tell whether the last character of the text is the check character of the text before it."""
    return len(text) > 1 and text[-1] == check_character(text[:-1])


def batch_series(plant: str, made_on: date) -> str:
    """Return the name of the number series that batches made at the plant on that day draw from."""
    return f"batch/{plant}/{made_on:%y%m%d}"


def reserved_ahead(series: str) -> int:
    """Return how many numbers of a series are reserved at a time outside the store: few of a day's codes."""
    return DAY_RESERVED if series.startswith("batch/") else RESERVED


def batch_code(plant: str, made_on: date, number: int) -> str:
    """Return the default batch code: plant, day, counter and check character, as in SH1-261122-0001N.

    At most 4 + 1 + 6 + 1 + 7 + 1 = 20 characters for the ten million batches that a day can count.
    """
    body = f"{plant}-{made_on:%y%m%d}-{number:0{COUNTER_DIGITS}d}"
    code = body + check_character(body)
    if len(code) > BATCH_CODE_LENGTH_MAX:
        raise Refusal(BATCH_CODE_INVALID, code=code, why=BATCH_CODE_LENGTH(limit=BATCH_CODE_LENGTH_MAX))
    return code


def read_batch_code(text: str) -> str:
    """Return a scanned or typed batch code when it can be one, or raise Refusal that says what is wrong with it."""
    if not 1 <= len(text) <= BATCH_CODE_LENGTH_MAX:
        raise Refusal(BATCH_CODE_INVALID, code=text[:40], why=BATCH_CODE_LENGTH(limit=BATCH_CODE_LENGTH_MAX))
    if not GS1_SET_82.issuperset(text):
        raise Refusal(BATCH_CODE_INVALID, code=text, why=BATCH_CODE_CHARACTERS())
    if not has_valid_check(text):
        raise Refusal(BATCH_CODE_INVALID, code=text, why=BATCH_CODE_CHECK())
    return text


def node_id(plant_number: int, number: int) -> int:
    """Return the id of a plant's n-th batch or process record: unique in the group without asking anybody."""
    return plant_number << NODE_NUMBER_BITS | number


def plant_of(node: int) -> int:
    """Return the number of the plant that created a batch or process record."""
    return node >> NODE_NUMBER_BITS
