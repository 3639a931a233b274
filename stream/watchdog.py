"""Watchdog: ends the process when it makes no progress.

kafka-python's transaction calls wait without a limit: with the broker gone, commit_transaction() never returned and
close() did not free it. Nothing inside the process can be relied on then; a fresh process can.
"""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from stream.faults import EXIT_TRY_AGAIN

log: Final = logging.getLogger("newsalert.watchdog")


def end_process(told: str) -> None:
    """Says why, shows where every thread stands, and ends the process at once."""
    log.critical(told)
    faulthandler.dump_traceback(file=sys.stderr)
    sys.stderr.flush()
    os._exit(EXIT_TRY_AGAIN)


class Watchdog:
    """Calls `bite` with a sentence when there is no `beat` for `limit_s` seconds."""

    def __init__(
        self,
        limit_s: float,
        bite: Callable[[str], None] = end_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit_s, self._bite, self._clock = limit_s, bite, clock
        self._last, self._stage = clock(), "start"
        self._ended = threading.Event()

    def beat(self, stage: str) -> None:
        """Progress was made; `stage` comes next."""
        self._last, self._stage = self._clock(), stage

    def check(self) -> bool:
        """Bites where the limit is passed; True where it did."""
        idle = self._clock() - self._last
        if idle < self.limit_s:
            return False
        self._bite(
            f"no progress for {idle:.0f} s in stage '{self._stage}' (NEWSALERT_WATCHDOG_S={self.limit_s:g}): ending"
        )
        return True

    def start(self) -> None:
        """Checks from a thread of its own until `stop`."""
        self.beat("start")
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """No more bites."""
        self._ended.set()

    @property
    def alive(self) -> bool:
        """Is there still progress?"""
        return self._clock() - self._last < self.limit_s

    def _watch(self) -> None:
        while not self._ended.wait(min(1.0, self.limit_s / 4)):
            if self.check():
                return
