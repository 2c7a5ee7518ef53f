"""Interrupts of a long fit: what asks it to end, and when that may be."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Handler = Callable[[int, Any], Any]


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C: it raises KeyboardInterrupt, in the main thread, unless the program ignores it."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    ignored = signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    with _handling([] if ignored else [signal.SIGTERM], interrupt):
        yield


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end, where they act as they would have."""
    came: list[int] = []
    with _handling([signal.SIGINT, signal.SIGTERM], lambda number, _: came.append(number)):
        yield
    for number in came:
        signal.raise_signal(number)


def raise_kept(outcome: Any, beside: str) -> None:
    """Raise what an outcome holds for the caller, if it does, with a note that says what was kept."""
    if outcome.error is not None:
        outcome.error.add_note(
            f"After {outcome.n_iter} updates. The state after {outcome.kept} updates, with the lowest loss found "
            f"({outcome.loss:.5g}), and {beside} are kept on the estimator."
        )
        raise outcome.error


@contextmanager
def _handling(signals: list[signal.Signals], handler: Handler) -> Iterator[None]:
    """Handle signals so for a while; only the main thread may, and only what Python handled before can be put back."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {s: earlier for s in signals if (earlier := signal.getsignal(s)) is not None}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
