"""(g) Two workers against one. The broker works on the same cores, so what it takes is measured and told beside.

Three views of the same two runs. By the clock: articles/s of two over one, on cores that the broker shares. Against what is
possible: the same, over the most that these cores allow with the CPU that a worker and the broker need for an article
(`most_of_two`). And the cost: articles for a CPU second of the workers, two over one; 1.0 says that a second worker takes
nothing from the first, and that with a broker elsewhere two are twice as fast.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tests.bench.ground import SERVICE, Ground, Run, await_shares, environment, fill, ground, held, measured
from tests.bench.machine import facts
from tests.bench.measures import Figure, Promise, Result, most_of_two
from tests.conftest import fresh_topics

TITLE: Final = "Two workers against one"


def workers(number: int) -> list[Sequence[str]]:
    """The commands that start so many workers of one group on this machine."""
    return [(*SERVICE, "--workers", str(number))]


def bench(texts: str | None, count: int, limit_s: float) -> Result:
    """One, then two, on the same broker and articles in four partitions."""
    machine, warm = facts(), min(4_000, count // 4)
    with ground(texts, 0, partitions=4) as where:
        one, two = (_run(replace(where, count=count), number, texts, warm, limit_s) for number in (1, 2))
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


def _run(where: Ground, number: int, texts: str | None, warm: int, limit_s: float) -> Run:
    """All have their share before there are articles, and are stopped while the topic is filled: they begin together."""
    settings = where.fresh()
    settings = replace(settings, articles_topic=fresh_topics(settings.brokers, 4).articles)

    def begin(processes: Sequence[subprocess.Popen[bytes]]) -> None:
        await_shares(settings, number)
        held(processes, lambda: fill(settings, texts, where.count))

    environ = environment(settings, NEWSALERT_SESSION_TIMEOUT_S="120")
    return measured(where, workers(number), settings, environ, warm=warm, limit_s=limit_s, begin=begin)


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
