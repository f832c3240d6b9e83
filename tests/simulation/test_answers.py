"""The simulator's state take one answer to a directive, and one other behind UNSUPPORTED that names it."""

from typing import Any

import pytest

from simulation.ledger_replay import LedgerState
from simulation.run_log import Violation


def answer(refusal: str | None = None, again: int | None = None) -> dict[str, Any]:
    payload: dict[str, Any] = {"directive": 0, "met_version": None}
    if refusal is not None:
        payload |= {"refusal": refusal, "data": {}}
    if again is not None:
        payload["again"] = again
    return {"type": "DirectiveRejected" if refusal else "DirectiveApplied", "actor": "system", "payload": payload}


def fold(*answers: dict[str, Any]) -> LedgerState:
    state = LedgerState(1)
    for index, entry in enumerate(answers):
        state.fold(index, entry | {"id": str(index)})
    return state


@pytest.mark.parametrize("second", [answer(again=0), answer("HOLD_UNKNOWN", again=0)])
def test_second_answer_behind_unsupported_then_taken(second: dict[str, Any]) -> None:
    state = fold(answer("UNSUPPORTED"), second)
    assert (state.answered, state.unsupported) == ({0: 1}, {})


@pytest.mark.parametrize(
    "answers",
    [
        (answer(), answer()),
        (answer(), answer(again=0)),
        (answer("HOLD_UNKNOWN"), answer(again=0)),
        (answer("UNSUPPORTED"), answer()),
        (answer("UNSUPPORTED"), answer(again=7)),
        (answer("UNSUPPORTED"), answer("UNSUPPORTED")),
        (answer("UNSUPPORTED"), answer("UNSUPPORTED", again=0)),
        (answer("UNSUPPORTED"), answer(again=0), answer(again=0)),
        (answer("UNSUPPORTED"), answer(again=0), answer(again=1)),
        (answer(again=0),),
    ],
)
def test_any_other_second_answer_then_violation(answers: tuple[dict[str, Any], ...]) -> None:
    fold(*answers[:-1])
    with pytest.raises(Violation):
        fold(*answers)
