"""Interrupts of a long fit: their sources, and when they take effect."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

Interruptible: TypeAlias = Callable[[], AbstractContextManager[None]]
"""Makes a context in which signals act that wait outside of it."""


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C: it raises KeyboardInterrupt, in the main thread, unless the program ignores it."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    ignored = signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    with _handling({} if ignored else {signal.SIGTERM: interrupt}):
        yield


@contextmanager
def interrupts_wait() -> Iterator[Interruptible]:
    """Delay Ctrl-C and SIGTERM until the end of the block.

    Yields a function that makes contexts in which they act at once, including those received before.
    """
    came: list[int] = []
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def act() -> None:
        while came:
            signal.raise_signal(came.pop())

    @contextmanager
    def interruptible() -> Iterator[None]:
        with _handling(before):
            act()
            yield

    with _handling(dict.fromkeys(before, lambda number, _: came.append(number))):
        yield interruptible
    act()


def raise_kept(outcome: Any) -> None:
    """Raise the exception of an outcome, if it has one, with a note on the state that was kept."""
    if outcome.error is not None:
        outcome.error.add_note(
            f"After {outcome.n_iter} updates. The state after {outcome.kept} updates, with the lowest loss found "
            f"({outcome.loss:.5g}), and the history are kept on the estimator."
        )
        raise outcome.error


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    """Handle signals inside the block; only in the main thread, and only if Python can restore the handlers."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {s: earlier for s in handlers if (earlier := signal.getsignal(s)) is not None}
    try:
        for number in before:
            signal.signal(number, handlers[number])
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
