"""The search for garbage is put off by blocks that may overlap, and comes back after the last."""

import gc

import pytest

from infra.collecting import no_collecting


def test_block_then_no_search_and_after_it_as_before() -> None:
    assert gc.isenabled()
    with no_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_blocks_that_overlap_then_the_last_one_turns_it_on_again() -> None:
    one, two = no_collecting(), no_collecting()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert not gc.isenabled()
    two.__exit__(None, None, None)
    assert gc.isenabled()


def test_block_fails_then_the_search_comes_back() -> None:
    with pytest.raises(ZeroDivisionError), no_collecting():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_search_was_off_then_it_stays_off() -> None:
    gc.disable()
    try:
        with no_collecting(), no_collecting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
