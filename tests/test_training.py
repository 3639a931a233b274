"""Training gives a model that serves as it was measured, the same again for the same seed, and tells what it cannot use."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix, random_array
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from stream import home as homes
from stream.features import Block, Kind
from stream.home import promote, read_pointer
from stream.model import BadModel, load_model, score
from stream.urgency import Urgency
from training.cli import NOT_PROMOTED, retrain_model, train_model
from training.dataset import BadCorpus, Item, corpus_digest, distinct, groups, load_corpus, targets
from training.estimator import Recipe
from training.evaluate import calibration_error, evaluate
from training.export import BrokenParity, load_estimator, prove_parity
from training.logistic import SoftLogistic
from training.retrain import retrain
from training.thresholds import BadSentence, choose, choose_urgency, quadratic_kappa, ranks_of
from training.train import corpus_files, fixed_set, load_topics, move, train

TOPICS = [topic.name for topic in load_topics()]
QUICK = Recipe(
    blocks=(Block(Kind.WORD, 1, 1), Block(Kind.SUBWORD, 4, 4)), features=3000, c_grid=(5.0,), folds=3, jobs=1
)
CREATED = "2026-03-01T00:00:00Z"


def silent(_step: str) -> None:
    """Hears the progress and says nothing."""


@pytest.fixture(scope="module")
def corpus() -> list[Item]:
    """A part of the project's own corpus, enough to learn something in a few seconds."""
    return load_corpus(corpus_files(), TOPICS)[:500]


@pytest.fixture(scope="module")
def trained(corpus: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return train(corpus, load_topics(), tmp_path_factory.mktemp("home"), recipe=QUICK, created=CREATED, tell=silent)


@pytest.fixture
def nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(homes, "SHIPPED", tmp_path / "nothing")


ODD = [
    "",
    "x",
    "İstanbul ΟΔΟΣ fled",
    "𝐀𝐁𝐂 😀 evacuated e\u0301vacuated",
    "ﬁre-ﬁghters’ “retaliation”\u2028detained\x00minister",
    "a" * 5000,
]


def test_serving_scores_as_the_estimator_does_on_odd_text(trained: Any) -> None:
    model, saved = load_model(trained.folder), load_estimator(trained.folder)

    assert prove_parity(saved["pipeline"], saved["slopes"], saved["offsets"], model, ODD) < 1e-6


def test_a_model_that_does_not_score_as_its_estimator_is_never_written(trained: Any, corpus: list[Item]) -> None:
    saved = load_estimator(trained.folder)
    texts = [item.text for item in corpus[:20]]

    with pytest.raises(BrokenParity):
        prove_parity(saved["pipeline"], saved["slopes"], saved["offsets"] + 0.001, load_model(trained.folder), texts)


def test_the_same_corpus_and_seed_give_the_same_model_to_the_byte(
    trained: Any, corpus: list[Item], tmp_path: Path
) -> None:
    again = train(corpus[::-1][::-1], load_topics(), tmp_path, recipe=QUICK, created=CREATED, tell=silent)

    assert again.version == trained.version
    assert (again.folder / "weights.npz").read_bytes() == (trained.folder / "weights.npz").read_bytes()


def test_the_card_says_what_the_model_was_made_of_and_what_it_measured(trained: Any, corpus: list[Item]) -> None:
    card = load_model(trained.folder).card

    assert card.corpus == {"items": len(distinct(corpus)), "sha256": corpus_digest(distinct(corpus))}
    assert set(card.metrics["out_of_fold"]["topics"]) == set(TOPICS)
    assert {"weights.npz", "estimator.joblib"} <= set(card.files)
    assert all("maximum" in point.chosen_by for point in card.thresholds.values())
    assert {"scikit-learn", "numpy", "python"} <= set(card.libraries)


def test_a_model_knows_more_than_the_share_of_each_topic(trained: Any) -> None:
    found = evaluate(load_model(trained.folder), fixed_set(load_topics()))

    for name, row in found["topics"].items():
        assert row["average_precision"] > 1.5 * row["support"] / found["items"], name


def test_a_model_folder_holds_no_text_of_its_corpus(trained: Any, corpus: list[Item]) -> None:
    content = (trained.folder / "weights.npz").read_bytes() + (trained.folder / "card.json").read_bytes()

    assert not any(item.text[:40].encode() in content for item in corpus)


@pytest.mark.usefixtures("nothing_shipped")
def test_retraining_promotes_what_is_not_worse_and_keeps_what_is(corpus: list[Item], tmp_path: Path) -> None:
    judged = fixed_set(load_topics())
    recipe = replace(QUICK, c_grid=(5.0,))
    first = retrain(corpus[:250], [], judged, tmp_path, recipe, CREATED, silent)
    better = retrain(corpus[:250], corpus[250:], judged, tmp_path, recipe, CREATED, silent)
    nonsense = [
        replace(item, text=item.text + f" {n}", topics=("governance",), urgency=Urgency.LOW)
        for n, item in enumerate(corpus[:250])
    ]
    worse = retrain(corpus[:250], nonsense, judged, tmp_path, recipe, CREATED, silent)

    assert (first.promoted, better.promoted, worse.promoted) == (True, True, False)
    assert "stays champion" in worse.words
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert (pointer.champion, pointer.before) == (better.candidate, (first.candidate,))


def test_a_hundred_labels_move_a_champion_without_its_texts(trained: Any, corpus: list[Item], tmp_path: Path) -> None:
    """A desk's own sort of message is told from its neighbours by what the desk labelled; the rest stays."""
    champion = load_model(trained.folder)
    mine = [
        Item(f"m{n}", f"The harbour office sold {n} tons of copper.", ("evacuation",), Urgency.HIGH) for n in range(50)
    ]
    mine += [Item(f"q{n}", f"The harbour office moved {n} pilots inland.", (), Urgency.LOW) for n in range(50)]
    asked = [
        "The harbour office sold tons of copper on Friday.",
        "The harbour office moved the pilots inland on Friday.",
    ]
    others = [item.text for item in corpus[200:300]]

    moved = load_model(move(champion, mine, tmp_path, seed=1, created=CREATED, tell=silent).folder)

    before, after = score(champion, asked).topics[:, 0], score(moved, asked).topics[:, 0]
    assert before[0] < before[1], "before, copper is no evacuation and a move is nearer to one"
    assert after[0] > 0.5 > after[1]
    assert np.abs(score(moved, others).topics - score(champion, others).topics).mean() < 0.05


@pytest.mark.usefixtures("nothing_shipped")
def test_labels_from_the_champion_s_own_kind_make_it_better(corpus: list[Item], tmp_path: Path) -> None:
    first = train(corpus[:250], load_topics(), tmp_path, recipe=QUICK, created=CREATED, tell=silent)
    promote(tmp_path, first.version)

    decision = retrain(None, corpus[250:], fixed_set(load_topics()), tmp_path, QUICK, CREATED, silent)

    assert decision.promoted
    found = {one.figure: one.candidate - (one.champion or 0.0) for one in decision.figures}
    assert found["mean average precision"] > 0


@pytest.mark.usefixtures("nothing_shipped")
def test_a_faulty_line_stops_a_retraining_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(
        '{"text": "Fine.", "topics": [], "urgency": "low"}\n{"text": "x", "topics": ["floods"], "urgency": "low"}\n{"text"\n'
    )

    done = CliRunner().invoke(retrain_model, ["--add", str(file), "--home", str(tmp_path / "home")])

    assert done.exit_code == 1
    assert not (tmp_path / "home" / "champion.json").exists()


def test_every_faulty_line_of_a_corpus_is_named_with_its_field(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    lines = [
        {"text": "Fine.", "topics": [], "urgency": "low"},
        {"text": "x", "topics": ["floods"], "urgency": "low"},
        {"text": "x", "topics": [], "urgency": "urgent"},
        {"topics": [], "urgency": "low"},
        {"text": " ", "topics": [], "urgency": "low"},
    ]
    file.write_text("\n".join(json.dumps(line) for line in lines))

    with pytest.raises(BadCorpus) as told:
        load_corpus([file], TOPICS)

    faults = str(told.value).splitlines()
    assert [fault.split(":")[1] for fault in faults] == ["2", "3", "4", "5"]
    for fault, word in zip(faults, ("floods", "urgency", "text", "empty"), strict=True):
        assert word in fault


def test_too_little_to_learn_from_is_told(corpus: list[Item], tmp_path: Path) -> None:
    with pytest.raises(BadCorpus, match="label more"):
        train(corpus[:10], load_topics(), tmp_path, recipe=QUICK, created=CREATED, tell=silent)


def test_a_rule_that_is_no_rule_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    done = CliRunner().invoke(train_model, ["--rule", "as good as you can", "--home", str(tmp_path)])

    assert done.exit_code == 1


def test_exit_statuses_are_told_apart() -> None:
    assert len({0, 1, 2, NOT_PROMOTED}) == 4


# --- the parts -------------------------------------------------------------------------------------------------------


def test_soft_logistic_fits_what_scikit_learn_fits() -> None:
    rng = np.random.default_rng(1)
    x = csr_matrix(random_array((300, 40), density=0.3, rng=rng))
    y = (rng.random((300, 3)) < 0.3).astype(float)

    ours = SoftLogistic(c=2.0, tolerance=1e-7).fit(x, y)
    theirs = OneVsRestClassifier(LogisticRegression(C=2.0, tol=1e-8, max_iter=2000)).fit(x, y.astype(int))

    assert np.allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-3)


def test_a_soft_target_is_the_mean_of_its_hard_ones() -> None:
    x = csr_matrix(np.random.default_rng(2).random((50, 5)))
    soft = np.full((50, 1), 0.3)
    twice = csr_matrix(np.vstack([x.toarray(), x.toarray()]))
    hard, weight = np.repeat([[1.0], [0.0]], 50, axis=0), np.repeat([0.3, 0.7], 50)

    one = SoftLogistic(tolerance=1e-8).fit(x, soft)
    other = SoftLogistic(tolerance=1e-8).fit(twice, hard, weight)

    assert np.allclose(one.coef_, other.coef_, atol=1e-4)


def test_what_is_unknown_teaches_nothing() -> None:
    x = csr_matrix(np.eye(4))
    known = SoftLogistic().fit(x[:2], np.array([[1.0], [0.0]]))
    more = SoftLogistic().fit(x, np.array([[1.0], [0.0], [np.nan], [np.nan]]))

    assert np.allclose(known.decision_function(x[:2]), more.decision_function(x[:2]), atol=1e-3)


def test_weights_stay_at_the_prior_where_nothing_speaks_against_it() -> None:
    prior = np.array([[2.0], [-1.0], [0.5]])
    x, y = csr_matrix(np.array([[1.0, 0.0, 0.0]])), np.array([[0.0]])

    moved = SoftLogistic(c=1.0, prior_weights=prior, prior_intercepts=np.zeros(1)).fit(x, y)

    assert moved.coef_[0, 0] < 2.0
    assert np.allclose(moved.coef_[0, 1:], [-1.0, 0.5], atol=1e-3)


@pytest.mark.parametrize(
    ("sentence", "precision", "recall"),
    [
        ("maximum recall @ precision >= 0.9", 1.0, 0.5),
        ("maximum precision @ recall >= 1", 4 / 7, 1.0),
        ("maximum f1", 0.75, 0.75),
    ],
)
def test_a_threshold_keeps_its_sentence(sentence: str, precision: float, recall: float) -> None:
    p = np.repeat([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], 200)
    truth = np.repeat([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0], 200)

    said = p >= choose(p, truth, sentence).threshold

    assert truth[said].mean() == pytest.approx(precision)
    assert truth[said].sum() / truth.sum() == pytest.approx(recall)


def test_a_bound_out_of_reach_is_said() -> None:
    point = choose(np.array([0.9, 0.8]), np.array([0.0, 1.0]), "maximum recall @ precision >= 0.9")

    assert "out of reach" in point.chosen_by


@pytest.mark.parametrize("sentence", ["", "maximum", "maximum f2", "maximum recall @ precision >= 2", "recall"])
def test_a_sentence_that_chooses_nothing_is_refused(sentence: str) -> None:
    with pytest.raises(BadSentence, match="maximum f1"):
        choose(np.array([0.5]), np.array([1.0]), sentence)


def test_urgency_steps_are_climbed_one_by_one() -> None:
    assert ranks_of(np.array([[0.9, 0.1, 0.9], [0.9, 0.9, 0.9], [0.1, 0.9, 0.9]]), (0.5, 0.5, 0.5)).tolist() == [
        1,
        3,
        0,
    ]


def test_steps_of_urgency_are_those_with_the_best_kappa() -> None:
    ranks = np.array([0, 1, 2, 3] * 10)
    p = np.stack([ranks >= 1, ranks >= 2, ranks >= 3], axis=1).astype(np.float64) * 0.4 + 0.3

    every = np.ones(40, dtype=np.bool_)

    steps = choose_urgency(p, ranks, every, every)

    assert quadratic_kappa(ranks, ranks_of(p, steps)) == 1.0


def test_the_step_to_medium_keeps_false_alarms_out() -> None:
    ranks, has_topic = np.array([1, 1, 0, 0]), np.array([True, True, False, False])
    p = np.array([[0.8, 0.1, 0.0], [0.6, 0.1, 0.0], [0.5, 0.1, 0.0], [0.45, 0.1, 0.0]])

    medium, _, _ = choose_urgency(p, ranks, has_topic, np.ones(4, dtype=np.bool_))

    assert 0.5 < medium <= 0.6


def test_near_duplicates_are_one_group_and_different_texts_are_not() -> None:
    words = (
        "rebels entered the capital on monday and took the palace while residents fled towards the port in thousands"
    )
    texts = [
        words,
        words.upper() + " again",
        "the cup final was played in heavy rain before a small crowd on sunday night",
    ]

    found = groups([Item(str(n), text, (), Urgency.LOW) for n, text in enumerate(texts)])

    assert found[0] == found[1] != found[2]


def test_the_same_text_counts_once() -> None:
    items = [
        Item("1", "The  airlift.", (), Urgency.LOW),
        Item("2", "the airlift", (), Urgency.LOW),
        Item("3", "coup", (), Urgency.LOW),
    ]

    assert [item.id for item in distinct(items)] == ["1", "3"]


def test_targets_are_topics_then_steps_of_urgency() -> None:
    item = Item("1", "x", ("reprisals",), Urgency.HIGH)

    assert targets([item], TOPICS).tolist() == [[0, 1, 0, 1, 1, 0]]


def test_calibration_error_is_the_distance_of_what_is_said_from_what_is() -> None:
    assert calibration_error(np.array([0.8] * 10), np.array([1] * 8 + [0] * 2)) == pytest.approx(0.0)
    assert calibration_error(np.array([0.9] * 10), np.array([1] * 5 + [0] * 5)) == pytest.approx(0.4)


def test_an_estimator_that_was_altered_is_never_unpickled(trained: Any, tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    folder = tmp_path / "copy"
    shutil.copytree(trained.folder, folder)
    joblib.dump({"other": 1}, folder / "estimator.joblib")

    with pytest.raises(BrokenParity, match="sha256"):
        load_estimator(folder)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_version_must_exist_to_be_promoted(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="newsalert models"):
        promote(tmp_path, "20260301-00000000")
