"""Articles again and again through `classify` in one process: python -m tests.bench.memory_run FIRST ALL [TEXTS]

Prints JSON: resident MB after FIRST articles and after ALL, CPU seconds, and how many were refused.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from itertools import islice

from stream.article import Refused
from stream.cli import home_from
from stream.home import find_model
from stream.pipeline import Message, classify
from stream.settings import Settings
from tests.bench.machine import resident_mb
from tests.bench.texts import articles, files, items

BATCH = 500


def main(first: int, count: int, texts: str | None = None) -> None:
    """Classifies them all, under ids that never come again, in batches as the worker's."""
    settings = Settings.from_env(os.environ)
    model = find_model(home_from(settings), settings.model or None)
    endless = articles(items(files(texts)))
    resident, done, refused = {}, 0, 0
    start = time.process_time()
    while done < count:
        now = datetime.now(UTC)
        batch = [Message(record, now) for _, record in islice(endless, BATCH)]
        refused += sum(isinstance(outcome, Refused) for outcome in classify(batch, model, now))
        if done < first <= done + BATCH:
            resident["first"] = resident_mb(os.getpid())[0]
        done += BATCH
    resident["all"], peak = resident_mb(os.getpid())
    found = resident | {"peak": peak, "cpu_s": time.process_time() - start, "refused": refused, "count": done}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
