"""Signals only leave a note; the loop asks."""

import os
import signal

import pytest

from cnntrain.engine.signals import Signals
from cnntrain.errors import Interrupted, StoppedAndSaved


def test_ctrl_c_is_raised_at_the_next_check_not_before() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        seen = list(range(3))
        with pytest.raises(Interrupted, match="interrupted by Ctrl-C"):
            signals.check()
    assert seen == [0, 1, 2]


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with Signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_sigterm_is_code_75() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StoppedAndSaved) as caught:
            list(signals.polled([1, 2]))
    assert caught.value.exit_code == 75


def test_the_old_handlers_are_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Signals():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
