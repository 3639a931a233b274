"""Schemas: JSON Schema (2020-12) of every record, made from the types that write them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from stream.alert import Alert
from stream.verdict import Verdict


class PlainArticle(msgspec.Struct, frozen=True, kw_only=True):
    """An article as plain JSON on the topic `articles`; ninjs and wire copy are taken too."""

    id: Annotated[str, Meta(min_length=1, max_length=512)]
    text: str
    headline: str | None = None
    published: Annotated[str, Meta(description="RFC 3339, or a date")] | None = None
    source: str | None = None
    language: Annotated[str, Meta(description="BCP 47")] | None = None
    url: str | None = None
    version: Annotated[int, Meta(ge=1)] = 1
    status: Annotated[str, Meta(pattern="^(usable|withheld|canceled)$")] = "usable"
    urgency: Annotated[int, Meta(ge=1, le=9, description="as the sender gave it; never copied out")] | None = None


RECORDS: Final[Mapping[str, Any]] = {"article": PlainArticle, "verdict": Verdict, "alert": Alert}


def schema(record: str) -> dict[str, Any]:
    """The JSON Schema of one of `RECORDS`."""
    found = msgspec.json.schema(RECORDS[record])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"newsalert {record}"} | found


def schema_text(record: str) -> str:
    """The same as indented JSON with a line break behind it: what stream/schemas/ holds."""
    return msgspec.json.format(msgspec.json.encode(schema(record)), indent=2).decode() + "\n"
