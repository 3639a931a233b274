"""Model: a folder of arrays and a card; load it, score a batch, explain a text.

Serving never unpickles: `weights.npz` is read with `allow_pickle=False` after its digest was checked against the
card, so a model can be wrong but cannot run code, and does not break when scikit-learn moves on.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.features import Block, Floats, Vocabulary, lowered_length
from stream.sentences import passages
from stream.urgency import LEVELS

if TYPE_CHECKING:
    from stream.lexicon import Lexicon

FORMAT: Final = 1
CARD: Final = "card.json"
WEIGHTS: Final = "weights.npz"
FEWEST_PASSAGES: Final = 3  # a shorter text is read whole
SURE: Final = 4.0  # log odds of one topic by the whole text, from which it is a story that may have more than one
FARTHEST: Final = 60.0  # log odds are taken to lie within it, so that no probability overflows
CHUNK_TEXTS: Final = 64
CHUNK_CHARACTERS: Final = 400_000  # bounds the memory of a batch of long texts
STEPS: Final = tuple(level.value for level in LEVELS[1:])  # "at least medium", "at least high", "at least critical"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class BadModel(Exception):
    """A model folder that cannot be trusted or read; says which, what is wrong and what to do."""


class Topic(msgspec.Struct, frozen=True):
    """One topic: its name, IPTC Media Topic codes (`medtop:` numbers) and CAP category."""

    name: str
    iptc: tuple[str, ...] = ()
    cap_category: str = "Other"


class OperatingPoint(msgspec.Struct, frozen=True):
    """A threshold on a calibrated probability and the sentence that chose it."""

    threshold: float
    chosen_by: str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says of itself. `thresholds` has one entry for each topic and one for each urgency above low."""

    format: int
    name: str
    version: str
    created: str
    topics: tuple[Topic, ...]
    blocks: tuple[Block, ...]
    thresholds: dict[str, OperatingPoint]
    files: dict[str, str]
    passage_discount: float | None = None  # see `score`; none: whole texts alone are scored
    corpus: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    libraries: dict[str, str] = {}
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model. `weights` float32 [features, outputs], C-ordered; the others float64 [outputs].

    Outputs are the topics in the card's order, then "urgency at least" medium, high, critical. To make one compiles what reads
    texts, or takes it from the cache: no article waits for that.
    """

    card: Card
    vocabularies: tuple[Vocabulary, ...]
    weights: npt.NDArray[np.float32]
    intercepts: Floats
    slopes: Floats
    offsets: Floats
    policy: str  # digest of all that decides: weights and thresholds
    lexicon: "Lexicon" = field(init=False, repr=False, compare=False)
    lanes: npt.NDArray[np.float32] = field(
        init=False, repr=False, compare=False
    )  # the weights as the lexicon adds them up

    def __post_init__(self) -> None:
        from stream.lexicon import Lexicon  # noqa: PLC0415  (numba is slow to import)

        object.__setattr__(self, "lexicon", Lexicon(self.vocabularies))
        object.__setattr__(self, "lanes", self.lexicon.lanes(self.weights))

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of the topics, in the order of the first outputs."""
        return tuple(topic.name for topic in self.card.topics)


@dataclass(frozen=True, slots=True)
class Scores:
    """Calibrated probabilities of a batch: `topics` float64 [n, topics]; `urgency` float64 [n, 3], at least each level.

    `urgency` never rises from one level to the next: what is critical with p is high with p or more.
    """

    topics: Floats
    urgency: Floats


def load_model(folder: Path) -> Model:
    """The model in `folder`. Raises BadModel where a file is missing, altered, or does not fit the card."""
    card_bytes = _read(folder / CARD)
    try:
        card = msgspec.json.decode(card_bytes, type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise BadModel(f"{folder / CARD}: not a model card: {fault}; train the model again") from fault
    _check_card(card, folder)
    weights_bytes = _read(folder / WEIGHTS)
    if hashlib.sha256(weights_bytes).hexdigest() != card.files.get(WEIGHTS):
        raise BadModel(
            f"{folder / WEIGHTS}: its sha256 is not the one on the card; the file was altered or cut: copy it again"
        )
    return _assemble(card, _arrays(weights_bytes, folder), folder)


def score(model: Model, texts: Sequence[str]) -> Scores:
    """The calibrated probabilities of each of `texts` (full texts, headline first), any number of them.

    A topic may live in one paragraph of a round-up of a crisis, and drown in the rest. Where the card has a `passage_discount` and
    the whole text is sure of one topic, each topic's log odds are those of the whole text, or those of its strongest passage less
    the discount (a negative one is added), whichever is more.
    """
    log_odds = log_odds_of(model, texts)
    count = len(model.card.topics)
    log_odds[:, :count] = passages_lift(
        model.card, texts, log_odds[:, :count], lambda cut: log_odds_of(model, cut)[:, :count]
    )
    found = _sigmoid(log_odds)
    return Scores(found[:, :count], np.minimum.accumulate(found[:, count:], axis=1))


def log_odds_of(model: Model, texts: Sequence[str]) -> Floats:
    """The calibrated log odds of each of `texts` read whole, float64 [n, outputs], before passages lift any."""
    return margins(model, texts) * model.slopes + model.offsets


def margins(model: Model, texts: Sequence[str]) -> Floats:
    """The linear scores of each of `texts` before calibration, float64 [n, outputs]."""
    parts = [model.lexicon.sums(chunk, model.lanes) for chunk in _chunks(texts)]
    outputs = len(model.intercepts)
    sums = parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, model.lanes.shape[1])), *parts])
    found: Floats = sums[:, :outputs] + model.intercepts
    return found


def passages_lift(
    card: Card, texts: Sequence[str], whole: Floats, log_odds: Callable[[Sequence[str]], Floats]
) -> Floats:
    """`whole` [n, topics], raised to the best passage's log odds less the card's discount where a text has three or more."""
    if card.passage_discount is None:
        return whole
    sure = np.flatnonzero(whole.max(axis=1) >= SURE).tolist()
    cut = {row: pieces for row in sure if len(pieces := passages(texts[row])) >= FEWEST_PASSAGES}
    if not cut:
        return whole
    sizes = np.array([len(pieces) for pieces in cut.values()])
    found = log_odds([piece for pieces in cut.values() for piece in pieces])
    best = np.maximum.reduceat(found, np.cumsum(sizes) - sizes, axis=0)
    lifted, long = whole.copy(), list(cut)
    lifted[long] = np.maximum(whole[long], best - card.passage_discount)
    return lifted


def contributions(model: Model, pieces: Sequence[str]) -> Floats:
    """What each of `pieces`, in order making up one text, adds to the text's margins; float64 [pieces, outputs].

    The pieces sum to the margins less the intercepts, exactly: a linear model's sum is its explanation. A pair of words over a
    border counts for the piece it begins in.
    """
    closing = np.cumsum([lowered_length(piece) for piece in pieces], dtype=np.int64)
    return model.lexicon.sums_by_piece("".join(pieces), closing, model.lanes)[:, : len(model.intercepts)]


def _sigmoid(log_odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.minimum(np.maximum(log_odds, -FARTHEST), FARTHEST)))


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    begin, characters = 0, 0
    for end, text in enumerate(texts):
        if end > begin and (end - begin == CHUNK_TEXTS or characters + len(text) > CHUNK_CHARACTERS):
            yield texts[begin:end]
            begin, characters = end, 0
        characters += len(text)
    if begin < len(texts):
        yield texts[begin:]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise BadModel(
            f"{path}: {fault.strerror}; a model folder has {CARD} and {WEIGHTS}: name one with --model, or run 'newsalert train'"
        ) from fault


def _check_card(card: Card, folder: Path) -> None:
    where = folder / CARD
    if card.format != FORMAT:
        raise BadModel(f"{where}: format {card.format}, this newsalert reads {FORMAT}; train the model again")
    names = [topic.name for topic in card.topics]
    if not names or len(set(names)) < len(names) or not all(NAME.fullmatch(name) for name in names):
        raise BadModel(f"{where}: topics {names} are not distinct lower-case names; train the model again")
    missing = [name for name in (*names, *STEPS) if name not in card.thresholds]
    if missing:
        raise BadModel(f"{where}: no threshold for {', '.join(missing)}; train the model again")
    wrong = [name for name, point in card.thresholds.items() if not 0.0 <= point.threshold <= 1.0]
    if wrong:
        raise BadModel(f"{where}: threshold of {', '.join(wrong)} is not within 0..1; train the model again")


def _arrays(content: bytes, folder: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as fault:
        raise BadModel(f"{folder / WEIGHTS}: not plain arrays: {fault}; train the model again") from fault


def _assemble(card: Card, arrays: dict[str, npt.NDArray[Any]], folder: Path) -> Model:
    outputs, where = len(card.topics) + len(STEPS), folder / WEIGHTS
    vocabularies = []
    for number, block in enumerate(card.blocks):
        hashes, idf = arrays.get(f"hashes_{number}"), arrays.get(f"idf_{number}")
        if hashes is None or idf is None or hashes.dtype != np.uint64 or hashes.shape != idf.shape:
            raise BadModel(f"{where}: the vocabulary of block {number} is missing or misshapen; train the model again")
        vocabularies.append(Vocabulary(block, hashes, idf.astype(np.float64)))
    size = sum(len(vocabulary.hashes) for vocabulary in vocabularies)
    shapes = {
        "weights": (size, outputs),
        "intercepts": (outputs,),
        "slopes": (outputs,),
        "offsets": (outputs,),
    }
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise BadModel(f"{where}: '{name}' is not {shape} finite numbers; train the model again")
    return Model(
        card,
        tuple(vocabularies),
        np.ascontiguousarray(arrays["weights"], dtype=np.float32),
        arrays["intercepts"].astype(np.float64),
        arrays["slopes"].astype(np.float64),
        arrays["offsets"].astype(np.float64),
        _policy(card),
    )


def _policy(card: Card) -> str:
    """What decides, as a digest: the same article under the same policy gives the same alert id."""
    thresholds = {name: point.threshold for name, point in sorted(card.thresholds.items())}
    decides = [card.files[WEIGHTS], card.passage_discount, thresholds]
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()
