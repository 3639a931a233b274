"""Texts: as many articles as are asked for, out of named files, each under an id of its own."""

import itertools
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from stream.files import BadFile, documents

CORPUS: Final = Path(__file__).parents[2] / "training" / "corpus"
TEXTS: Final = "TEXTS"
FIELDS: Final = ("headline", "text", "published", "source")


def files(named: str | None = None) -> list[str]:
    """The files with articles: `named`, else those of the variable TEXTS, else the corpus that this project wrote."""
    chosen = named or os.environ.get(TEXTS)
    return chosen.split(",") if chosen else [str(path) for path in sorted(CORPUS.glob("*.jsonl"))]


def items(paths: Sequence[str]) -> list[dict[str, Any]]:
    """The files' articles in an order that is random but always the same: only what an article has. Raises BadFile."""
    found = []
    for document in documents(paths):
        line = msgspec.json.decode(document.value)
        if isinstance(line, dict) and line.get("text"):
            found.append({name: line[name] for name in FIELDS if line.get(name)})
    if not found:
        raise BadFile(f"{', '.join(paths)}: no line with a text; name a .jsonl or .jsonl.gz of articles")
    random.Random(1).shuffle(found)
    return found


def articles(found: Sequence[dict[str, Any]], prefix: str = "n") -> Iterator[tuple[str, bytes]]:
    """(id, record) of the items again and again, without end, ids counted: `n0`, `n1`, ..."""
    for number, item in zip(itertools.count(), itertools.cycle(found), strict=False):
        name = f"{prefix}{number}"
        yield name, msgspec.json.encode({"id": name} | item)
