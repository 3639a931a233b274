"""Quix Streams, a row at a time as its dataframes are. At least once, its default: positions are committed behind a flush."""

from typing import Any

from quixstreams import Application

from tests.bench.peers.scorer import ARTICLES, BROKERS, GROUP, VERDICTS, verdicts


def judge(article: dict[str, Any]) -> dict[str, Any]:
    """The verdict of an article."""
    return verdicts([article])[0]


def main() -> None:
    """Until it is ended."""
    app = Application(broker_address=BROKERS, consumer_group=GROUP, auto_offset_reset="earliest", loglevel="WARNING")
    rows = app.dataframe(app.topic(ARTICLES, value_deserializer="json"))
    rows.apply(judge).to_topic(app.topic(VERDICTS, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main()
