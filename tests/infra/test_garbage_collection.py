"""The search for garbage is put off by blocks that may overlap, and comes back after the last."""

import gc

import pytest

from infra import garbage_collection


def test_block_then_no_search_and_after_it_as_before() -> None:
    assert gc.isenabled()
    with garbage_collection.paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_blocks_that_overlap_then_the_last_one_turns_it_on_again() -> None:
    one, two = garbage_collection.paused(), garbage_collection.paused()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert not gc.isenabled()
    two.__exit__(None, None, None)
    assert gc.isenabled()


def test_block_fails_then_the_search_comes_back() -> None:
    with pytest.raises(ZeroDivisionError), garbage_collection.paused():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_search_was_off_then_it_stays_off() -> None:
    gc.disable()
    try:
        with garbage_collection.paused(), garbage_collection.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
