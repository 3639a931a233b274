"""Crew: several workers on one machine, forked from a parent that starts them again and ends them together.

The parent loads the model once and its pages are shared. It has no Kafka client, and its only other thread answers HTTP.
Python objects are not shared: what a worker has to tell (progress, its share of the group) goes through a page of memory.
"""

import gc
import logging
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final, NoReturn

from stream.faults import EXIT_BUDGET, EXIT_FAULT, EXIT_SETTINGS, EXIT_TRY_AGAIN

log: Final = logging.getLogger("newsalert.crew")
HOPELESS: Final = frozenset({EXIT_FAULT, EXIT_SETTINGS, EXIT_BUDGET})
SURPRISE: Final = 70  # EX_SOFTWARE of sysexits.h: not foreseen, so a fresh process may fare better
STOPS: Final = (signal.SIGTERM, signal.SIGINT)
SLOT: Final = struct.Struct("dd")  # when a worker last made progress (monotonic s), and whether it has its share

Tell = Callable[[bool], None]  # a worker's word that it makes progress; True: the group has given it its share
Life = Callable[[int, Tell], int]  # what the worker of this number does in its own process; its exit status


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before a worker is started again: `first_s`, twice as long each time, `most_s` at most.

    One that lived for `healthy_s` begins anew with `first_s`.
    """

    first_s: float = 1.0
    most_s: float = 60.0
    healthy_s: float = 60.0

    def delay_s(self, falls: int) -> float:
        """Seconds to wait after so many falls in a row, one or more."""
        return min(self.most_s, self.first_s * 2.0 ** min(falls - 1, 60))


class Board:
    """Memory that parent and workers share: a slot for each worker, which it alone writes while it lives."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._memory, self._clock = mmap.mmap(-1, count * SLOT.size), clock
        for number in range(1, count + 1):
            self.tell(number, joined=False)

    def tell(self, number: int, *, joined: bool) -> None:
        """Worker `number` makes progress now."""
        SLOT.pack_into(self._memory, (number - 1) * SLOT.size, self._clock(), joined)

    def told(self, number: int) -> tuple[float, bool]:
        """(seconds since its last progress, has it its share) of worker `number`."""
        last, joined = SLOT.unpack_from(self._memory, (number - 1) * SLOT.size)
        return self._clock() - last, bool(joined)

    def leave(self, number: int) -> None:
        """Worker `number` is gone and has no share; its last progress stands."""
        last, _ = SLOT.unpack_from(self._memory, (number - 1) * SLOT.size)
        SLOT.pack_into(self._memory, (number - 1) * SLOT.size, last, False)


@dataclass(slots=True)
class Place:
    """One worker's place: who holds it (`pid` 0: nobody), and when, on the monotonic clock, it is to be filled (again)."""

    number: int
    pid: int = 0
    since: float = 0.0
    due: float = 0.0
    falls: int = 0


class Crew:
    """`count` workers that live `life`, numbered from 1. `gone` hears of each that ended, `again` of each started again.

    `forking` is held while a worker is forked: a thread of the parent that holds it is never in the middle of something then.
    """

    def __init__(
        self,
        count: int,
        life: Life,
        limit_s: float,
        *,
        gone: Callable[[int], None] = lambda _number: None,
        again: Callable[[int], None] = lambda _number: None,
        patience: Patience = Patience(),
    ) -> None:
        self.forking = threading.Lock()
        self._life, self._limit_s, self._patience = life, limit_s, patience
        self._gone, self._again = gone, again
        self._board, self._places = Board(count), [Place(number) for number in range(1, count + 1)]
        self._stop_asked = False
        self._stopped_at: float | None = None
        self._statuses: list[int] = []  # what counts for the parent's own, in the order in which it came
        self._lifeline = (-1, -1)

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until a worker ends with a fault that no restart mends; the exit status for the parent.

        Every worker gets SIGTERM then, and as long as the watchdog would give it: who has not ended by then is killed.
        """
        gc.collect()
        gc.freeze()  # or the workers' first collections would copy the pages of every object that they share
        self._lifeline = os.pipe()
        with self._woken() as wake:
            while self._stopped_at is None or self._present():
                self._fill()
                self._wait(wake)
                self._look()
                self._stop_if_asked()
                self._kill_late()
        return self._status()

    def alive(self) -> str | None:
        """None, or which workers have made no progress for the watchdog's time, be it that they are not there."""
        idle = {place.number: self._board.told(place.number)[0] for place in self._places}
        late = [f"worker {number} for {idle_s:.0f} s" for number, idle_s in idle.items() if idle_s >= self._limit_s]
        return f"no progress: {', '.join(late)}" if late else None

    def ready(self) -> str | None:
        """None, or which workers have no share of the group yet, or are not there."""
        without = [str(place.number) for place in self._places if not self._board.told(place.number)[1]]
        return f"not ready: no share of the consumer group yet: worker {', '.join(without)}" if without else None

    def _present(self) -> list[Place]:
        return [place for place in self._places if place.pid]

    def _fill(self) -> None:
        for place in self._places:
            if self._stopped_at is None and not place.pid and place.due <= time.monotonic():
                if place.since:
                    self._again(place.number)
                place.since = time.monotonic()
                try:
                    place.pid = self._fork(place.number)
                except OSError as fault:  # memory may be short for the moment: likely why it is to be started again
                    self._fell(place, f"could not be started ({fault})")
                    continue
                log.info("worker %d is process %d", place.number, place.pid)

    def _fork(self, number: int) -> int:
        """The new process's id; the child never comes back. A signal meant for one of the two is not lost in the other."""
        with self.forking:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            pid = os.fork()
            if not pid:
                self._live(number)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def _live(self, number: int) -> NoReturn:
        """The child's whole life. SIGTERM ends it as it stands until `life` has its own way; Ctrl-C is for the parent."""
        status = SURPRISE
        try:
            os.close(self._lifeline[1])
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            threading.Thread(target=_end_with_parent, args=(self._lifeline[0],), name="lifeline", daemon=True).start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # after the thread: signals are for the main one
            self._board.tell(number, joined=False)
            status = self._life(number, lambda joined: self._board.tell(number, joined=joined))
        except BaseException:
            log.exception("worker %d met what nobody foresaw", number)
        finally:
            try:
                logging.shutdown()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)  # neither what the parent is in the middle of nor its exit handlers are the child's

    @contextmanager
    def _woken(self) -> Iterator[int]:
        """A file that can be read from when a signal came; the handlers that were there are put back."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        before = {number: signal.signal(number, self._asked) for number in STOPS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            yield read
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            for end in (read, write, *self._lifeline):
                os.close(end)

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        """A second signal of the kind ends the parent as it would have, and the lifeline the workers."""
        log.info("%s: every worker finishes the batch in hand", signal.Signals(number).name)
        signal.signal(number, signal.SIG_DFL)
        self._stop_asked = True

    def _wait(self, wake: int) -> None:
        """Until a signal comes or something is due."""
        moments = [place.due for place in self._places if not place.pid]
        if self._stopped_at is not None:
            moments = [self._stopped_at + self._limit_s]
        until = max(0.0, min(moments) - time.monotonic()) if moments else None
        if self._stop_asked and self._stopped_at is None:
            until = 0.0
        if select.select([wake], [], [], until)[0]:
            os.read(wake, 4096)

    def _look(self) -> None:
        """Who has ended, and what follows from it."""
        for place in self._present():
            pid, raw = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                place.pid = 0
                self._board.leave(place.number)
                self._gone(place.number)
                self._ended(place, os.waitstatus_to_exitcode(raw))

    def _ended(self, place: Place, status: int) -> None:
        if self._stopped_at is not None:
            if status not in (0, -signal.SIGTERM):  # of SIGTERM itself one dies that has not yet begun
                log.error("worker %d %s", place.number, _told(status))
                self._statuses.append(status)
            return
        if status in HOPELESS:
            log.critical("worker %d %s, which no restart mends: ending all", place.number, _told(status))
            self._statuses.append(status)
            self._stop()
            return
        self._fell(place, _told(status))

    def _fell(self, place: Place, told: str) -> None:
        lived_s = time.monotonic() - place.since
        place.falls = 1 if lived_s >= self._patience.healthy_s else place.falls + 1
        delay_s = self._patience.delay_s(place.falls)
        place.due = time.monotonic() + delay_s
        log.error("worker %d %s after %.0f s: again in %g s", place.number, told, lived_s, delay_s)

    def _stop_if_asked(self) -> None:
        if self._stop_asked and self._stopped_at is None:
            self._stop()

    def _stop(self) -> None:
        self._stopped_at = time.monotonic()
        for place in self._present():
            os.kill(place.pid, signal.SIGTERM)

    def _kill_late(self) -> None:
        if self._stopped_at is None or time.monotonic() - self._stopped_at < self._limit_s:
            return
        for place in self._present():
            log.critical(
                "worker %d did not end within %g s (NEWSALERT_WATCHDOG_S): killed", place.number, self._limit_s
            )
            os.kill(place.pid, signal.SIGKILL)
            os.waitpid(place.pid, 0)
            place.pid = 0
            self._gone(place.number)
            self._statuses.append(EXIT_TRY_AGAIN)

    def _status(self) -> int:
        """0 where all ended in good order, else the status of the first that did not, as a single worker would give it."""
        first = self._statuses[0] if self._statuses else 0
        return first if first in {0, EXIT_TRY_AGAIN, *HOPELESS} else EXIT_FAULT


def _told(status: int) -> str:
    return f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"


def _end_with_parent(lifeline: int) -> None:
    """Ends this process when the parent is gone in whatever way: it alone holds the pipe's other end.

    A pipe and not PR_SET_PDEATHSIG: that is Linux's alone, follows the thread that forked and not the process, and is lost on a
    parent that died before the call. No batch is finished: who starts the parent again may have started a successor already.
    """
    os.read(lifeline, 1)
    log.critical("the parent is gone: ending")
    os._exit(EXIT_TRY_AGAIN)
