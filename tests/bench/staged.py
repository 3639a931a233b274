"""`newsalert run` that remembers how long each stage of each batch took: python -m tests.bench.staged FILE

FILE gets, at the end, JSON: for each batch that had records its `end` on the machine's clock and the milliseconds of every stage.
"""

import json
import os
import sys
import time
from pathlib import Path

from stream.cli import home_from
from stream.home import find_model
from stream.service import start, stop_on_signals
from stream.settings import Settings


class Stages:
    """Hears each stage before it begins; an idle poll is thrown away."""

    def __init__(self) -> None:
        self.batches: list[dict[str, float]] = []
        self._batch: dict[str, float] = {}
        self._stage, self._since = "", 0.0

    def hear(self, stage: str) -> None:
        """The stage before ends, this one begins."""
        now = time.monotonic()
        if self._stage:
            self._batch[self._stage] = 1000 * (now - self._since)
        if stage == "poll":
            if "commit" in self._batch:
                self.batches.append(self._batch | {"end": now})
            self._batch = {}
        self._stage, self._since = stage, now


def main(told: Path) -> None:
    """Runs until SIGTERM."""
    settings = Settings.from_env(os.environ)
    service = start(settings, find_model(home_from(settings), settings.model or None))
    stages, beat = Stages(), service.worker.tell

    def tell(stage: str) -> None:
        beat(stage)
        stages.hear(stage)

    service.worker.tell = tell
    stop_on_signals(service)
    try:
        service.run()
    finally:
        told.write_text(json.dumps(stages.batches))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
