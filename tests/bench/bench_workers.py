"""(g) Two workers against one. The broker works on the same cores, so what it takes is measured and told beside.

Three views of the same two runs. By the clock: articles/s of two over one, on cores that the broker shares. Against what is
possible: the same, over the most that these cores allow with the CPU that a worker and the broker need for an article
(`most_of_two`). And the cost: articles for a CPU second of the workers, two over one; 1.0 says that a second worker takes
nothing from the first, and that with a broker elsewhere two are twice as fast.
"""

from collections.abc import Sequence
from typing import Final

from tests.bench.ground import SERVICE, Ground, Run, environment, ground, measured
from tests.bench.machine import facts
from tests.bench.measures import Figure, Promise, Result, most_of_two

TITLE: Final = "Two workers against one"


def workers(number: int) -> list[Sequence[str]]:
    """The commands that start so many workers of one group on this machine."""
    return [SERVICE] * number


def bench(texts: str | None, count: int, limit_s: float) -> Result:
    """One, then two, on the same broker and articles in four partitions."""
    machine, warm = facts(), min(10_000, count // 4)
    with ground(texts, count, partitions=4) as where:
        one, two = (_run(where, number, warm, limit_s) for number in (1, 2))
    faster = two.cost.rate / one.cost.rate
    most = most_of_two(one.cost.us, one.cost.broker_us, int(machine["cores"]))
    return Result(
        part="workers",
        title=TITLE,
        setup={"articles": f"{count:,}", "to warm up": f"{warm:,}", "partitions": "4", "batch": "500"},
        machine=machine,
        promises=(
            Promise(name="articles/s, two workers / one, broker on the same cores", value=faster, least=True),
            Promise(name="the same / the most that these cores allow", value=faster / most, least=True),
            Promise(
                name="articles a CPU second of the workers, two / one", value=one.cost.us / two.cost.us, least=True
            ),
        ),
        figures=(*_figures("one worker", one), *_figures("two workers", two)),
    )


def _run(where: Ground, number: int, warm: int, limit_s: float) -> Run:
    settings = where.fresh()
    return measured(where, workers(number), settings, environment(settings), warm=warm, limit_s=limit_s)


def _figures(name: str, run: Run) -> tuple[Figure, ...]:
    busy = (run.cost.cpu_s + run.cost.broker_cpu_s) / run.cost.wall_s
    return (
        Figure(
            name=f"{name}: by the clock", value=run.cost.rate, unit="articles/s", note=f"{run.cost.articles:,} articles"
        ),
        Figure(name=f"{name}: CPU of the workers an article", value=run.cost.us, unit="µs"),
        Figure(name=f"{name}: CPU of the broker an article", value=run.cost.broker_us, unit="µs"),
        Figure(name=f"{name}: cores in use, broker's too", value=busy, unit="cores"),
    )
