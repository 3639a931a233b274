"""The benchmarks' arithmetic, and their page: timings are no tests, but what is made of them is."""

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from stream.article import Article, parse_article
from stream.files import BadFile
from tests.bench import report, texts
from tests.bench.bench_peers import PEERS, Peer
from tests.bench.environments import LISTS, versions_of
from tests.bench.measures import Cost, Figure, Kept, Promise, Result, Sample, cost, kept, most_of_two, percentile
from tests.bench.pass_through import arguments, cut

RESULT = Result(
    part="service",
    title="The service against a loop",
    setup={"articles": "10"},
    machine={"cores": "2"},
    promises=(Promise(name="CPU, service / loop", value=1.25, needed=3.0, aim=1.5),),
    figures=(
        Figure(name="newsalert run: CPU an article", value=140.0, unit="µs", note="10 articles"),
        Figure(name="loop: CPU an article", value=112.0, unit="µs"),
    ),
)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    hundred = [float(value) for value in range(100, 0, -1)]

    assert [percentile(hundred, percent) for percent in (0, 1, 50, 99, 100)] == [1, 1, 50, 99, 100]
    assert percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


def test_a_percentile_of_nothing_is_refused_rather_than_made_up() -> None:
    with pytest.raises(ValueError, match="nothing was seen"):
        percentile([], 99)


def looks(*seen: tuple[int, float]) -> list[Sample]:
    """Samples (end of the topic, CPU seconds); the broker needs half as much, the clock twice."""
    return [Sample(end, cpu, cpu / 2, cpu * 2) for end, cpu in seen]


def test_the_cost_of_an_article_leaves_out_start_up_and_transaction_marks() -> None:
    # three transactions of two articles, each with a mark behind; start-up took 5 seconds
    written = [0, 1, 3, 4, 6, 7]

    found = cost(looks((3, 5.0), (6, 5.2), (9, 5.4)), written, warm=2)

    assert found == replace(found, articles=4)
    assert (found.us, found.broker_us, found.rate) == pytest.approx((100_000, 50_000, 5.0))


def test_the_cost_begins_behind_the_warm_up() -> None:
    found = cost(looks((1, 1.0), (2, 9.0), (4, 9.2)), [0, 1, 2, 3], warm=2)

    assert found.articles == 2
    assert found.cpu_s == pytest.approx(0.2)


@pytest.mark.parametrize("samples", [[], looks((5, 1.0)), looks((1, 1.0), (2, 2.0)), looks((5, 1.0), (5, 2.0))])
def test_a_cost_without_two_looks_behind_the_warm_up_is_refused(samples: list[Sample]) -> None:
    with pytest.raises(ValueError, match="too few articles"):
        cost(samples, [0, 1, 2, 3, 4], warm=3)


@pytest.mark.parametrize(
    ("value", "least", "outcome"),
    [
        (1.5, False, Kept.AIM),
        (3.0, False, Kept.YES),
        (3.1, False, Kept.NO),
        (1.0, True, Kept.NO),
        (4.0, True, Kept.AIM),
    ],
)
def test_a_promise_is_kept_up_to_and_with_its_bound(value: float, least: bool, outcome: Kept) -> None:
    aim = 4.0 if least else 1.5

    assert kept(Promise(name="ratio", value=value, needed=3.0, aim=aim, least=least)) is outcome


def test_where_nothing_is_promised_nothing_is_kept_or_broken() -> None:
    assert kept(Promise(name="ratio", value=9.0)) is Kept.NONE


@pytest.mark.parametrize(
    ("worker", "broker", "most"),
    [(100, 0, 2.0), (100, 100, 1.0), (200, 100, 4 / 3), (100, 300, 1.0)],
)
def test_two_workers_can_be_as_much_faster_as_the_broker_leaves_cores(
    worker: float, broker: float, most: float
) -> None:
    assert most_of_two(worker, broker, cores=2) == pytest.approx(most)


def test_the_pass_through_forwards_as_many_bytes_and_alerts_as_the_service() -> None:
    assert arguments(iter([100, 200]), iter([900])) == ["150", "900", "500"]
    assert arguments(iter([100]), iter([])) == ["100", "0", "0"]
    assert [len(cut(b'{"id":"n1"}', size)) for size in (0, 5, 11, 12, 1000)] == [0, 5, 11, 12, 1000]
    assert cut(b"abc", 7) == b"abcabca"


def test_every_article_gets_an_id_of_its_own_however_often_its_text_comes(tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    file.write_text(
        '{"text": "One.", "headline": "", "id": "x", "topics": []}\n{"headline": "no text"}\n{"text": "Two."}\n'
    )

    records = list(islice(texts.articles(texts.items([str(file)])), 5))

    found = [parse_article(record) for _, record in records]
    assert [article.id for article in found if isinstance(article, Article)] == ["n0", "n1", "n2", "n3", "n4"]
    assert [name for name, _ in records] == ["n0", "n1", "n2", "n3", "n4"]
    assert {article.text for article in found if isinstance(article, Article)} == {"One.", "Two."}


def test_a_file_without_texts_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.jsonl"
    file.write_text('{"headline": "no text"}\n')

    with pytest.raises(BadFile, match=r"no line with a text"):
        texts.items([str(file)])


def test_without_named_texts_the_corpus_of_the_project_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(texts.TEXTS, raising=False)
    assert len(texts.items(texts.files())) > 1000

    monkeypatch.setenv(texts.TEXTS, "a.jsonl,b.jsonl")
    assert texts.files() == ["a.jsonl", "b.jsonl"]
    assert texts.files("c.jsonl") == ["c.jsonl"]


def test_the_page_tells_promises_figures_and_what_could_not_be_measured() -> None:
    found = report.markdown([msgspec.structs.replace(RESULT, missing=("bytewax: no wheel\nlong log",))])

    assert "| service | CPU, service / loop | 1.25 x | ≤ 3 x | ≤ 1.5 x | aim reached |" in found
    assert "| newsalert run: CPU an article | 140 µs | 10 articles |" in found
    assert "**Not measured:** bytewax: no wheel\n" in found
    assert "articles 10; cores 2." in found


def test_a_part_measured_anew_takes_the_place_of_the_old() -> None:
    other = msgspec.structs.replace(RESULT, part="memory")
    newer = msgspec.structs.replace(RESULT, title="again")

    assert report.merged([RESULT, other], [newer]) == [other, newer]


def test_only_what_stands_between_the_marks_is_renewed() -> None:
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"

    renewed = report.page(text, [RESULT])

    assert renewed.startswith("before\n")
    assert renewed.endswith(f"{report.END}\nafter\n")
    assert "old" not in renewed
    assert report.page(renewed, [RESULT]) == renewed


def test_the_bars_are_the_programs_by_cost_each_once() -> None:
    peers = msgspec.structs.replace(
        RESULT, part="peers", figures=(Figure(name="x: CPU an article", value=9.0, unit="µs"),)
    )

    found = report.bars([RESULT, peers, RESULT])

    assert [(one.name.partition(":")[0], one.value) for one in found] == [
        ("x", 9.0),
        ("loop", 112.0),
        ("newsalert run", 140.0),
    ]


def test_the_picture_is_the_same_for_the_same_results(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        report.draw([RESULT], tmp_path / name)

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    text = report.PAGE.read_text()

    assert report.page(text, report.kept_results()) == text, "renew with: python -m tests.bench.report"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.listed)
def test_every_peer_runs_on_a_list_of_exact_versions(peer: Peer) -> None:
    lines = (LISTS / f"{peer.listed}.txt").read_text().splitlines()

    assert [line for line in lines if not re.fullmatch(r"[a-z0-9_.-]+==[^\s=]+", line)] == []
    assert versions_of(peer.listed, peer.packages).count(", ") == len(peer.packages) - 1
    assert (LISTS / f"{peer.module}.py").is_file()


def test_a_cost_tells_itself_by_the_article() -> None:
    found = Cost(articles=2_000, cpu_s=1.0, broker_cpu_s=0.5, wall_s=4.0)

    assert (found.us, found.broker_us, found.rate) == (500.0, 250.0, 500.0)
