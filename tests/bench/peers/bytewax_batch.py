"""Bytewax with batches (`flat_map_batch`). At least once: positions are kept in its recovery store every 10 s (its default).

python -m tests.bench.peers.bytewax_batch
"""

import os
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

from tests.bench.peers.scorer import ARTICLES, BATCH, BROKERS, VERDICTS, verdicts


def judge(
    messages: list[KafkaSourceMessage[bytes | None, bytes | None]],
) -> list[KafkaSinkMessage[bytes | None, bytes | None]]:
    """A verdict for each message."""
    found = verdicts([msgspec.json.decode(message.value or b"") for message in messages])
    pairs = zip(messages, found, strict=True)
    return [KafkaSinkMessage(message.key, msgspec.json.encode(verdict)) for message, verdict in pairs]


flow = Dataflow("articles")
taken = kop.input("taken", flow, brokers=[BROKERS], topics=[ARTICLES], batch_size=BATCH)
judged = op.flat_map_batch("judged", taken.oks, judge)
kop.output("written", judged, brokers=[BROKERS], topic=VERDICTS)

if __name__ == "__main__":
    store = Path(os.environ["BENCH_FOLDER"], "recovery")
    store.mkdir()
    init_db_dir(store, 1)
    cluster_main(flow, [], 0, epoch_interval=timedelta(seconds=10), recovery_config=RecoveryConfig(str(store)))
