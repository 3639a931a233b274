"""Teacher: a sentence encoder fine-tuned on the labels, offline, where weight is free; its probabilities teach the served model.

Run with `python -m training.teacher --encoder FOLDER`, with the extra `teacher` (torch, transformers). FOLDER holds an encoder as
transformers saves it, such as all-mpnet-base-v2, or one kept by an earlier run, which is not taught again. What comes out is
`training/labels/teacher.jsonl.gz`: for each text that nobody labelled, and for passages of all, its id and six probabilities, no
text. `newsalert train --all` learns from it.
"""

import gzip
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np

from stream.features import Bools, Floats, full_text
from stream.home import SHIPPED
from stream.model import FEWEST_PASSAGES, load_model, score
from stream.sentences import passage_spans
from stream.settings import Settings
from training.curve import TEACHER_WORTH, markdown, worth
from training.dataset import Item, SoftLine, TextLine, lines, load_corpus, targets
from training.news import TEACHER, TEXTS, labelled, news_from, real_items
from training.train import corpus_files, load_topics

DECIMALS: Final = 4  # finer than a teacher knows, coarse enough to compress
HEAD: Final = "head.pt"  # beside an encoder that has been taught
SHUFFLED_TOGETHER: Final = 1024  # texts sorted by length within such a share, so that a batch wastes little on padding

ASKED_FROM: Final = 0.04  # probability of any topic, by the shipped model, from which a passage is asked about
ASKED_BELOW: Final = 0.15  # share of the other passages that is asked about
READ_OF_A_TEXT: Final = 6000  # characters that passages are taken from
LONGEST_PASSAGE: Final = 900  # characters

Tokens = list[int]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the teacher is asked about: `text` is the whole text of `id`, or its passage at `span`."""

    id: str
    text: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How the encoder is taught. `frozen` layers from the bottom keep their weights; a batch holds `batch_tokens` at most."""

    epochs: int = 2
    longest: int = 256  # tokens of a text that are read
    multiple: int = (
        32  # batches are padded to a multiple of so many tokens: each new shape costs the CPU kernels a compilation
    )
    frozen: int = 3
    rate: float = 4e-5
    head_rate: float = 1e-3
    batch_tokens: int = 3072
    batch_texts: int = 48
    warm_up: int = 60  # steps
    usual_texts: int = 16  # a batch of so many moves the weights by one full step
    seed: int = 1


def batches(lengths: Sequence[int], order: Sequence[int], course: Course) -> Iterator[list[int]]:
    """Indices of texts that go through together: neighbours in length, at most `batch_tokens` with their padding."""
    for begin in range(0, len(order), SHUFFLED_TOGETHER):
        batch: list[int] = []
        for index in sorted(order[begin : begin + SHUFFLED_TOGETHER], key=lambda one: lengths[one]):
            room = min(course.batch_texts, course.batch_tokens // padded(lengths[index], course))
            if batch and len(batch) >= room:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch


def padded(length: int, course: Course) -> int:
    """The tokens that a text of `length` tokens takes up in a batch."""
    return -(-length // course.multiple) * course.multiple


def step_size(step: int, done: float, course: Course) -> float:
    """The share of the full learning rate at `step`: up over the warm-up, then down to 2 per cent as `done` goes from 0 to 1."""
    return min(1.0, (step + 1) / course.warm_up) * max(0.02, 1.0 - done)


def soft_bytes(asked: Sequence[Asked], log_odds: Floats) -> bytes:
    """The teacher's file: the probabilities of each text asked, from log odds [n, outputs]; gzip, the same for the same input."""
    p = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    p[:, -3:] = np.minimum.accumulate(p[:, -3:], axis=1)  # what is critical is at least as likely high
    rows = [
        SoftLine(id=one.id, p=tuple(round(float(x), DECIMALS) for x in row), span=one.span)
        for one, row in zip(asked, p, strict=True)
    ]
    return gzip.compress(b"".join(msgspec.json.encode(row) + b"\n" for row in rows), mtime=0)


class Encoder:
    """An encoder with a head of one output for each target; imports torch and transformers when it is made."""

    def __init__(self, folder: Path, outputs: int, course: Course) -> None:
        import torch  # noqa: PLC0415  (of the extra `teacher`)
        import transformers  # noqa: PLC0415

        torch.manual_seed(course.seed)
        self._torch, self._course = torch, course
        config = transformers.AutoConfig.from_pretrained(folder)
        config.attention_probs_dropout_prob = config.hidden_dropout_prob = 0.0  # twice as fast, as good over two epochs
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._encoder = transformers.AutoModel.from_pretrained(folder, config=config, add_pooling_layer=False)
        self._encoder.embeddings.requires_grad_(False)
        for layer in self._encoder.encoder.layer[: course.frozen]:
            layer.requires_grad_(False)
        self._head = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(2 * config.hidden_size, outputs))
        self.taught = (folder / HEAD).exists()
        if self.taught:
            self._head.load_state_dict(torch.load(folder / HEAD, weights_only=True))

    def keep(self, folder: Path) -> None:
        """Saves the encoder as taught, with its head, in a folder that `Encoder` reads."""
        self._encoder.save_pretrained(folder), self._tokenizer.save_pretrained(folder)
        self._torch.save(self._head.state_dict(), folder / HEAD)

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text, the first `longest` of them."""
        found: list[Tokens] = self._tokenizer(list(texts), truncation=True, max_length=self._course.longest)[
            "input_ids"
        ]
        return found

    def learn(self, tokens: Sequence[Tokens], wanted: Floats, tell: Tell) -> None:
        """Fine-tunes on `wanted` float [n, outputs] in 0..1."""
        torch, course = self._torch, self._course
        body = [weight for weight in self._encoder.parameters() if weight.requires_grad]
        groups = [{"params": body, "lr": 0.0}, {"params": list(self._head.parameters()), "lr": 0.0}]
        optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        lengths, truth = [len(one) for one in tokens], torch.tensor(wanted, dtype=torch.float32)
        seen, start = 0, time.monotonic()
        for step, batch in enumerate(self._lessons(lengths)):
            share = step_size(step, seen / (sum(lengths) * course.epochs), course)
            for group, rate in zip(optimiser.param_groups, (course.rate, course.head_rate), strict=True):
                group["lr"] = rate * share
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = self._log_odds([tokens[index] for index in batch])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(found.float(), truth[batch])
            optimiser.zero_grad()
            (loss * len(batch) / course.usual_texts).backward()
            torch.nn.utils.clip_grad_norm_(body, 3.0)
            optimiser.step()
            seen += sum(lengths[index] for index in batch)
            if step % 100 == 0:
                rate_told = seen / (time.monotonic() - start)
                tell(f"step {step}: loss {float(loss.detach()):.3f}, {rate_told:.0f} tokens a second")

    def log_odds(self, tokens: Sequence[Tokens]) -> Floats:
        """float64 [n, outputs], in the order of `tokens`."""
        lengths = [len(one) for one in tokens]
        order = sorted(range(len(tokens)), key=lambda index: lengths[index])
        found = np.zeros((len(tokens), self._head[-1].out_features))
        self._encoder.eval(), self._head.eval()
        with self._torch.no_grad(), self._torch.autocast("cpu", dtype=self._torch.bfloat16):
            for batch in batches(lengths, order, self._course):
                found[batch] = self._log_odds([tokens[index] for index in batch]).float().numpy()
        self._encoder.train(), self._head.train()
        return found

    def _lessons(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        rng = np.random.default_rng(self._course.seed)
        for _ in range(self._course.epochs):
            lessons = list(batches(lengths, rng.permutation(len(lengths)).tolist(), self._course))
            yield from (lessons[index] for index in rng.permutation(len(lessons)))

    def _log_odds(self, batch: Sequence[Tokens]) -> Any:
        torch, pad = self._torch, self._tokenizer.pad_token_id
        longest = padded(max(map(len, batch)), self._course)
        ids = torch.tensor([one + [pad] * (longest - len(one)) for one in batch])
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch])
        states = self._encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self._head(torch.cat([states[:, 0], mean], 1))


def all_texts(news: Path) -> list[TextLine]:
    """The texts of the training folder. Raises BadCorpus."""
    return [msgspec.json.decode(line, type=TextLine) for name in TEXTS for _, line in lines(news / name)]


def unlabelled(texts: Sequence[TextLine], read: Sequence[Item]) -> list[Asked]:
    """The texts that none of `read` is, whole."""
    known = {item.id for item in read}
    return [Asked(text.id, full_text(text.headline, text.text)) for text in texts if text.id not in known]


def passages_of(texts: Sequence[TextLine]) -> list[Asked]:
    """The passages of each text that has several, labelled or not: a label is of a whole text and says nothing of its parts."""
    found = []
    for text in texts:
        spans = passage_spans(text.text[:READ_OF_A_TEXT])
        if len(spans) >= FEWEST_PASSAGES:
            found += [Asked(text.id, text.text[a:b], (a, b)) for a, b in spans if b - a < LONGEST_PASSAGE]
    return found


def worth_asking(probabilities: Floats, seed: int) -> Bools:
    """Which passages the teacher is asked about, bool [n], by a model's probabilities of the topics [n, topics]: all that may
    have a topic, and a share of the others, drawn at random."""
    likely: Bools = np.asarray((probabilities > ASKED_FROM).any(axis=1))
    drawn: Bools = np.random.default_rng(seed).random(len(likely)) < ASKED_BELOW
    return likely | drawn


@click.command()
@click.option("--encoder", "folder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=TEACHER, show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="a new folder for the encoder as taught")
@click.option(
    "--check",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="labelled items set apart, to tell what the teacher is worth on them (into training/labels/teacher.json)",
)
@click.option(
    "--first", type=click.IntRange(1), help="only so many of the labelled and of the other texts, to try it out"
)
def main(folder: Path, out: Path, keep: Path | None, check: Path | None, first: int | None) -> None:
    """Teach the encoder in FOLDER on real labels (texts in NEWSALERT_NEWS) and the corpus; write what it thinks of the rest."""
    names, course = [topic.name for topic in load_topics()], Course()
    news = news_from(Settings.from_env(os.environ))
    real = real_items(news, names)
    items = [*real, *load_corpus(corpus_files(), names)][:first]
    teacher = Encoder(folder, len(names) + 3, course)
    if not teacher.taught:
        teacher.learn(teacher.tokens([item.text for item in items]), targets(items, names), click.echo)
    if keep:
        teacher.keep(keep)
    if check:
        apart = labelled([check], names, str(news))
        found = teacher.log_odds(teacher.tokens([item.text for item in apart]))
        told = f"the teacher: {folder.name}, {course.epochs} epochs"
        taught_on = min(len(real), len(items)), max(len(items) - len(real), 0)
        row = worth(load_model(SHIPPED).card, found, targets(apart, names), told, *taught_on, 0)
        TEACHER_WORTH.write_bytes(msgspec.json.format(msgspec.json.encode(row), indent=1) + b"\n")
        click.echo(markdown([row]))
    texts, shipped = all_texts(news), load_model(SHIPPED)
    parts = passages_of(texts)
    asking = worth_asking(score(shipped, [part.text for part in parts]).topics, course.seed)
    asked = [*unlabelled(texts, real)[:first], *list(compress(parts, asking))[:first]]
    click.echo(f"reading {len(asked)} texts and passages that nobody labelled")
    out.write_bytes(soft_bytes(asked, teacher.log_odds(teacher.tokens([one.text for one in asked]))))


if __name__ == "__main__":
    main()
