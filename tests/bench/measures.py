"""Measures: what is made of samples and times. Pure, and tested in tests/test_bench.py."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Kept(StrEnum):
    """What became of a promise."""

    AIM = "aim reached"
    YES = "kept"
    NO = "BROKEN"
    NONE = ""  # nothing was promised


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A measured value, for the table of its part; `unit` as it is printed."""

    name: str
    value: float
    unit: str
    note: str = ""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of which something was promised: at most `needed`, or at least where `least` is true; `aim` would be fine."""

    name: str
    value: float
    needed: float | None = None
    aim: float | None = None
    least: bool = False
    unit: str = "x"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a part found: how it ran (`setup`), on what (`machine`), and that nothing failed (`missing` names what did)."""

    part: str
    title: str
    setup: dict[str, str]
    machine: dict[str, str]
    promises: tuple[Promise, ...]
    figures: tuple[Figure, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at a running process: the end of its output topic, its CPU seconds and the broker's until now, the clock."""

    end: int
    cpu_s: float
    broker_cpu_s: float
    clock_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What `articles` articles cost between two looks: CPU seconds of the process and of the broker, and seconds by the clock."""

    articles: int
    cpu_s: float
    broker_cpu_s: float
    wall_s: float

    @property
    def us(self) -> float:
        """Microseconds of the process's CPU for an article."""
        return 1e6 * self.cpu_s / self.articles

    @property
    def broker_us(self) -> float:
        """Microseconds of the broker's CPU for an article."""
        return 1e6 * self.broker_cpu_s / self.articles

    @property
    def rate(self) -> float:
        """Articles a second by the clock."""
        return self.articles / self.wall_s


def cost(samples: Sequence[Sample], written: Sequence[int], warm: int) -> Cost:
    """The cost between the first sample with `warm` articles written and the last; start-up lies before it.

    `written` are the offsets of the records in the output topic, in order: ends of a topic count transaction marks too.
    Raises ValueError where there are not two such samples with articles between.
    """
    counted = [(_before(written, sample.end), sample) for sample in samples]
    within = [(count, sample) for count, sample in counted if count >= warm]
    if len(within) < 2 or within[0][0] == within[-1][0]:
        raise ValueError(f"too few articles: {[count for count, _ in counted][-1:]} written, {warm} of them to warm up")
    (first, a), (last, b) = within[0], within[-1]
    return Cost(last - first, b.cpu_s - a.cpu_s, b.broker_cpu_s - a.broker_cpu_s, b.clock_s - a.clock_s)


def _before(written: Sequence[int], end: int) -> int:
    """How many of the ordered offsets lie before `end`."""
    low, high = 0, len(written)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if written[middle] < end else (low, middle)
    return low


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` per cent of the values do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values: nothing was seen")
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def kept(promise: Promise) -> Kept:
    """Was the promise kept, and the aim reached?"""
    if promise.needed is None:
        return Kept.NONE
    if not _reaches(promise, promise.needed):
        return Kept.NO
    return Kept.AIM if promise.aim is not None and _reaches(promise, promise.aim) else Kept.YES


def _reaches(promise: Promise, bound: float) -> bool:
    return promise.value >= bound if promise.least else promise.value <= bound


def most_of_two(worker_us: float, broker_us: float, cores: int) -> float:
    """How much faster two workers can be than one at best, where the broker works on the same cores.

    One worker is bound by one core, 1 / worker; or, with the broker, by all of them, cores / (worker + broker). Two likewise.
    """
    together = cores / (worker_us + broker_us)
    return min(2 / worker_us, together) / min(1 / worker_us, together)
