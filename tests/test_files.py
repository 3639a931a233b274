"""Articles come out of files of any form, plain or packed, each with its place."""

import gzip
from pathlib import Path

import pytest

from stream.files import BadFile, Document, documents


def test_each_line_of_json_lines_is_an_article_and_blank_lines_are_none(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"id": "1"}\r\n\n{"id": "2"}')

    assert list(documents([str(file)])) == [
        Document(b'{"id": "1"}', None, f"{file}:1"),
        Document(b'{"id": "2"}', None, f"{file}:3"),
    ]


def test_gzip_makes_no_difference(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"id": "1"}\n{"id": "2"}\n'))

    assert [document.value for document in documents([str(file)])] == [b'{"id": "1"}', b'{"id": "2"}']


def test_any_other_file_is_one_article(tmp_path: Path) -> None:
    (tmp_path / "wire.txt").write_bytes(b"PORT MAREN, March 3 (RSW) -\nText.\n")
    (tmp_path / "one.json").write_bytes(b'{\n "id": "1"\n}')

    found = list(documents([str(tmp_path / "wire.txt"), str(tmp_path / "one.json")]))

    assert [document.value for document in found] == [b"PORT MAREN, March 3 (RSW) -\nText.\n", b'{\n "id": "1"\n}']
    assert [document.content_type for document in found] == [None, "application/json"]


@pytest.mark.parametrize("make", ["missing", "folder", "cut gzip"])
def test_what_cannot_be_read_is_named(tmp_path: Path, make: str) -> None:
    path = tmp_path / "x.jsonl.gz"
    if make == "folder":
        path.mkdir()
    elif make == "cut gzip":
        path.write_bytes(gzip.compress(b"x" * 1000)[:-10])

    with pytest.raises(BadFile, match=r"x\.jsonl\.gz"):
        list(documents([str(path)]))
