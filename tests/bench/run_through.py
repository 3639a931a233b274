"""All articles of FILES through `newsalert publish` and `newsalert run` on Apache Kafka: what came out, how fast, how much memory.

    python -m tests.bench.run_through FILE... [--partitions 4]

Exits non-zero unless verdicts and dead letters together are the articles, each once, in input order per partition.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import msgspec

from stream.kafka_io.watch import until_end
from stream.settings import Settings, variable
from stream.verdict import Verdict
from tests.conftest import fresh_topics
from tests.kafka_server import apache_kafka

NEWSALERT = str(Path(sys.executable).parent / "newsalert")


def main() -> int:
    """Runs it and prints a table; the exit status says whether every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--partitions", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, apache_kafka(Path(folder)) as cluster:
        topics = fresh_topics(cluster.bootstrap, options.partitions)
        settings = Settings(
            brokers=cluster.bootstrap,
            group="through",
            articles_topic=topics.articles,
            verdicts_topic=topics.verdicts,
            alerts_topic=topics.alerts,
            dead_topic=topics.dead,
        )
        environ = _environ(settings)
        subprocess.run([NEWSALERT, "publish", *options.files], env=environ, check=True)
        return _report(settings, environ)


def _environ(settings: Settings) -> dict[str, str]:
    names = ("brokers", "group", "articles_topic", "verdicts_topic", "alerts_topic", "dead_topic")
    own = {name: text for name, text in os.environ.items() if not name.startswith("NEWSALERT_")}
    return own | {variable(name): getattr(settings, name) for name in names} | {"NEWSALERT_HTTP_PORT": "0"}


def _report(settings: Settings, environ: dict[str, str]) -> int:
    articles = list(until_end(settings.articles_topic, settings))
    process = subprocess.Popen([NEWSALERT, "run"], env=environ, stderr=subprocess.PIPE)
    start, cpu = time.monotonic(), 0.0
    first = None
    while True:
        done = _ends(settings)
        if done and first is None:
            first = time.monotonic()
        if done >= len(articles) or time.monotonic() - start > 600:
            break
        time.sleep(0.2)
    seconds = time.monotonic() - start
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    process.terminate()
    process.wait(60)
    verdicts = list(until_end(settings.verdicts_topic, settings))
    alerts = list(until_end(settings.alerts_topic, settings))
    dead = list(until_end(settings.dead_topic, settings))
    print(f"articles in {len(articles)}, verdicts {len(verdicts)}, dead letters {len(dead)}, alerts {len(alerts)}")
    print(
        f"seconds {seconds:.1f} with start-up, articles/s {len(articles) / seconds:.0f}, peak memory {peak_mb:.0f} MB"
    )
    print(f"CPU of the worker {cpu:.1f} s, that is {1000 * cpu / len(articles):.2f} ms an article, start-up included")
    found = [msgspec.json.decode(record.value or b"", type=Verdict).article.id for record in verdicts]
    repeated = sum(count - 1 for count in Counter(found).values())
    out_of_order = _out_of_order({(r.key or b"").decode(): (r.partition, r.offset) for r in articles}, found)
    print(f"repeated {repeated}, out of order within their partition {out_of_order}, exit status {process.returncode}")
    kept = len(verdicts) + len(dead) == len(articles)
    return 0 if kept and not repeated and not out_of_order and process.returncode == 0 else 1


def _ends(settings: Settings) -> int:
    return sum(1 for topic in (settings.verdicts_topic, settings.dead_topic) for _ in until_end(topic, settings))


def _out_of_order(place: dict[str, tuple[int, int]], found: list[str]) -> int:
    last: dict[int, int] = defaultdict(lambda: -1)
    wrong = 0
    for name in found:
        partition, offset = place[name]
        wrong += offset < last[partition]
        last[partition] = offset
    return wrong


if __name__ == "__main__":
    sys.exit(main())
