"""A signal ends the program, also one whose exception is raised where Python forgets it."""

import signal
import subprocess
import sys

import pytest

from api.node.shutdown import SignalGuard


class Dying:
    """Hears a signal while it is destroyed."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


def test_signals_then_they_end_the_block_and_are_left_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), SignalGuard():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended, SignalGuard(143):
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    with SignalGuard() as signals:
        signals.check()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "number, raised", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["INT", "TERM"]
)
def test_exception_lost_in_a_destructor_then_the_next_look_raises_it(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    reached = False
    with pytest.raises(raised), SignalGuard() as signals:
        dying = Dying(number)
        del dying
        reached = True
        signals.check()
    assert reached, "the destructor's exception is lost"


def test_child_signals_as_it_begins_then_its_starter_knows_it_before_the_exception() -> None:
    script = "import os, signal; os.kill(os.getppid(), signal.SIGINT); print('sent')"
    reached = False
    with pytest.raises(KeyboardInterrupt), SignalGuard() as signals, signals.held():
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "sent\n"
        reached = True
    assert reached, "the exception waits for the end of the block"
    assert child.returncode == 0
