"""Codes: check characters against published numbers, limits, and ids that put the plant first."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.messages import word
from plants.rules.identification.codes import (
    BATCH_CODE_LENGTH_MAX,
    CHECK_ALPHABET,
    GS1_SET_82,
    NODE_NUMBER_BITS,
    PLANT_NUMBER_MAX,
    batch_code,
    check_character,
    has_valid_check,
    master_code,
    node_id,
    plant_code,
    plant_of,
    read_batch_code,
)
from plants.rules.identification.refusals import BATCH_CODE_INVALID, CODE_INVALID
from plants.rules.values.refusals import Refusal


def test_the_check_character_of_a_published_identifier() -> None:
    assert check_character("A1-2425G-ABC1234002") == "M"  # the example of the GRid handbook, separators included


def second_opinion(text: str) -> str:
    """Return the one character that makes the ISO/IEC 7064 MOD 37,36 check come out as 1 (clause 9, method 2)."""

    def remainder(whole: str) -> int:
        product = 36
        for character in whole[:-1]:
            product = ((product + CHECK_ALPHABET.index(character)) % 36 or 36) * 2 % 37
        return (product + CHECK_ALPHABET.index(whole[-1])) % 36

    (found,) = (candidate for candidate in CHECK_ALPHABET if remainder(text + candidate) == 1)
    return found


@given(st.text(CHECK_ALPHABET, min_size=1, max_size=19))
def test_the_check_character_is_the_one_that_verifies(text: str) -> None:
    assert check_character(text) == second_opinion(text)


@given(st.text(CHECK_ALPHABET, min_size=2, max_size=19), st.data())
def test_one_wrong_character_and_one_swap_of_neighbours_are_found(text: str, data: st.DataObject) -> None:
    whole = text + check_character(text)
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from(CHECK_ALPHABET).filter(lambda character: character != whole[at]))

    assert not has_valid_check(whole[:at] + other + whole[at + 1 :])


def test_a_batch_code_names_plant_day_and_number() -> None:
    code = batch_code("SH1", date(2026, 11, 22), 1)

    assert code == "SH1-261122-0001P"
    assert read_batch_code(code) == code
    assert GS1_SET_82.issuperset(code)


def test_the_longest_batch_code_fits_application_identifier_10() -> None:
    assert len(batch_code("SHA1", date(2026, 11, 22), 9_999_999)) == BATCH_CODE_LENGTH_MAX
    with pytest.raises(Refusal) as refused:
        batch_code("SHA1", date(2026, 11, 22), 10_000_000)
    assert refused.value.code is BATCH_CODE_INVALID


@pytest.mark.parametrize(
    "text", ["", "SH1-261122-0001Q", "SH1-261122-0001", "批次-0001", "SH1 261122 0001P", "A" * 21, "SH1\x00"]
)
def test_what_is_no_batch_code_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_batch_code(text)

    assert refused.value.code is BATCH_CODE_INVALID
    assert "批次号" in word(refused.value, "zh")


@pytest.mark.parametrize("text", ["A", "ABCDE", "sh1", "S-1", "", "上海", "SH\n"])
def test_what_is_no_plant_code_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        plant_code(text)
    assert refused.value.code is CODE_INVALID


@pytest.mark.parametrize("text", ["", "rm-milk", "-RM", "RM MILK", "R" * 21, "RM/MILK", "ＲＭ"])
def test_what_is_no_master_code_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        master_code(text, "material")


@given(st.integers(1, PLANT_NUMBER_MAX), st.integers(1, 2**NODE_NUMBER_BITS - 1))
def test_an_id_names_its_plant_and_is_an_integer_every_json_reader_agrees_on(plant: int, number: int) -> None:
    node = node_id(plant, number)

    assert plant_of(node) == plant
    assert node < 2**53
