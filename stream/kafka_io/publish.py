"""Publish: articles from files to the topic `articles`."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from kafka.errors import KafkaError

from stream.alert import CapStatus
from stream.article import Article, parse_article
from stream.faults import BrokerFault
from stream.files import Document
from stream.kafka_io.clients import plain_producer
from stream.settings import Settings

ANSWER_S: Final = 60.0


def publish(
    documents: Iterable[Document],
    settings: Settings,
    *,
    rate: float | None = None,
    cap_status: CapStatus = CapStatus.ACTUAL,
    sent: Callable[[Document], None] = lambda _document: None,
) -> int:
    """Sends each document as it is, keyed by its article's id; returns how many the broker has acknowledged.

    `rate` is articles a second at most. What cannot be read as an article is sent too: the service refuses it, and keeps it.
    Raises BrokerFault; what was acknowledged until then is in the topic.
    """
    producer = plain_producer(settings)
    unanswered: deque[tuple[Any, Document]] = deque()
    count, start = 0, time.monotonic()
    try:
        for document in documents:
            if rate:
                time.sleep(max(0.0, start + count / rate - time.monotonic()))
            while len(unanswered) >= settings.in_flight:
                _answered(unanswered)
            unanswered.append((_send(producer, document, settings, cap_status), document))
            count += 1
            sent(document)
        while unanswered:
            _answered(unanswered)
    finally:
        producer.close(timeout=ANSWER_S)
    return count


def _send(producer: Any, document: Document, settings: Settings, cap_status: CapStatus) -> Any:
    article = parse_article(document.value, document.content_type, max_bytes=settings.max_article_bytes)
    headers = [("content-type", document.content_type.encode())] if document.content_type else []
    if cap_status is not CapStatus.ACTUAL:
        headers.append(("cap_status", cap_status.value.encode()))
    key = article.id.encode() if isinstance(article, Article) else None
    try:
        return producer.send(settings.articles_topic, document.value, key, headers)
    except KafkaError as fault:
        raise BrokerFault(f"{document.place}: not sent to '{settings.articles_topic}': {fault!r}") from fault


def _answered(unanswered: deque[tuple[Any, Document]]) -> None:
    future, document = unanswered.popleft()
    try:
        future.get(timeout=ANSWER_S)
    except KafkaError as fault:
        raise BrokerFault(
            f"{document.place}: not taken by the broker: {fault!r}; does the topic exist, and does it take records of this size?"
        ) from fault
