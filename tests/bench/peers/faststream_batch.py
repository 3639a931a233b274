"""FastStream with a batch subscriber and a batch publisher. At least once: AckPolicy.NACK_ON_ERROR commits behind the batch."""

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from tests.bench.peers.scorer import ARTICLES, BATCH, BROKERS, GROUP, VERDICTS, verdicts

broker = KafkaBroker(BROKERS, logger=None, max_batch_size=1_000_000)  # its default of 16 KB takes no batch of 500
app = FastStream(broker, logger=None)


@broker.subscriber(
    ARTICLES,
    batch=True,
    max_records=BATCH,
    group_id=GROUP,
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
@broker.publisher(VERDICTS, batch=True)
async def judge(articles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A verdict for each article."""
    return verdicts(articles)


if __name__ == "__main__":
    asyncio.run(app.run())
