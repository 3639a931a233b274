"""Files: articles out of files of any input form, one at a time, plain or gzip."""

import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

JSON: Final = "application/json"
STDIN: Final = "-"
LARGEST_DOCUMENT: Final = 64 * 1024 * 1024


class BadFile(Exception):
    """A file that cannot be read; says which and why."""


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of one article, its content type as far as the file's form tells, and where it stands."""

    value: bytes
    content_type: str | None
    place: str


def documents(paths: Iterable[str]) -> Iterator[Document]:
    """The articles of `paths` in order. A `.jsonl` file (or `-` that begins with a brace) has one a line, any other file is one.

    `.gz` behind any name is unpacked. Raises BadFile.
    """
    for path in paths:
        try:
            with ExitStack() as stack:
                yield from _documents(path, _opened(path, stack))
        except (OSError, EOFError) as fault:
            raise BadFile(f"{path}: cannot be read: {fault}") from fault


def _opened(path: str, stack: ExitStack) -> BinaryIO:
    if path == STDIN:
        return sys.stdin.buffer
    if Path(path).is_dir():
        raise BadFile(f"{path}: is a folder; name the files in it")
    plain = stack.enter_context(Path(path).open("rb"))  # noqa: SIM115  (the stack closes it)
    if not path.endswith(".gz"):
        return plain
    unpacked = stack.enter_context(gzip.GzipFile(fileobj=plain))
    return cast("BinaryIO", stack.enter_context(io.BufferedReader(unpacked)))


def _documents(path: str, stream: BinaryIO) -> Iterator[Document]:
    name = path.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")) or (path == STDIN and _peeked(stream) == b"{"):
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield Document(line.rstrip(b"\r\n"), None, f"{path}:{number}")
        return
    value = stream.read(LARGEST_DOCUMENT)
    yield Document(value, JSON if name.endswith(".json") else None, path)


def _peeked(stream: BinaryIO) -> bytes:
    return cast("io.BufferedReader", stream).peek(1)[:1]
