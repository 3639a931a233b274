"""News: labels whose texts live elsewhere, because they are other people's: ids here, texts in a folder that a setting names."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final

import msgspec

from stream.settings import Settings
from training.dataset import LABELS, BadCorpus, Item, Soft, join_soft, join_texts, lines, load_corpus

TEACHER: Final = LABELS / "teacher.jsonl.gz"
TEXTS: Final = ("train.jsonl.gz", "pool.jsonl.gz")
EXAMINATION: Final = "stream.jsonl.gz"  # texts to measure on; nothing is trained on them


def news_from(settings: Settings) -> Path:
    """The folder that NEWSALERT_NEWS names. Raises BadCorpus."""
    if not settings.news or not Path(settings.news).is_dir():
        raise BadCorpus(
            "the texts of training/labels are not part of newsalert: set NEWSALERT_NEWS to the folder that holds them"
        )
    return Path(settings.news)


def real_items(news: Path, topics: Sequence[str]) -> list[Item]:
    """The items of training/labels that have a text to train on. Raises BadCorpus."""
    files = sorted(file for file in LABELS.glob("*.jsonl"))
    return join_texts(files, [news / name for name in TEXTS], topics)


def soft_items(news: Path, outputs: int, without: Container[str]) -> list[Soft]:
    """What the teacher said of texts that nobody labelled; none where it was not asked. Raises BadCorpus."""
    return join_soft([TEACHER], [news / name for name in TEXTS], outputs, without) if TEACHER.exists() else []


def labelled(files: Sequence[Path], topics: Sequence[str], news: str) -> list[Item]:
    """The items of `files`, with text in them or, where they have ids alone, in the folder `news`. Raises BadCorpus."""
    items: list[Item] = []
    for file in files:
        if _has_text(file):
            items += load_corpus([file], topics)
        else:
            texts = [news_from(Settings(news=news)) / name for name in (EXAMINATION, *TEXTS)]
            items += join_texts([file], [text for text in texts if text.exists()], topics)
    return items


def _has_text(file: Path) -> bool:
    for number, line in lines(file):
        try:
            return "text" in msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        except msgspec.MsgspecError as fault:
            raise BadCorpus(f"{file}:{number}: {fault}") from fault
    return True
