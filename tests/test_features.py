"""Serving and training see the same features, whatever the text."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from stream import lexicon
from stream.features import (
    DOTTED_I,
    SIGMA,
    TOKEN,
    Block,
    Kind,
    Vocabulary,
    analyzer,
    fold_table,
    hash_terms,
    lowered_length,
    terms,
    tokens,
)
from stream.lexicon import Lexicon, spelt, taking_part

BLOCKS = (Block(Kind.WORD, 1, 2), Block(Kind.SUBWORD, 3, 5), Block(Kind.WORD, 2, 3))
ODD = st.text(alphabet="abAB 12_,.İIiıΣσςß𝐀😀\u0301\u0345'é\n\t-ﬁ\u200d\u00ad中文ا", max_size=80)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def learnt(texts: list[str], block: Block) -> tuple[Vocabulary, csr_matrix]:
    """What scikit-learn makes of the texts, columns in the order of the hashes."""
    vectorizer = TfidfVectorizer(analyzer=analyzer(block), sublinear_tf=True)
    x = vectorizer.fit_transform(texts)
    hashes = hash_terms(vectorizer.get_feature_names_out(), block)
    order = np.argsort(hashes)
    return Vocabulary(block, hashes[order], vectorizer.idf_[order]), x[:, order]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@given(texts=st.lists(ODD | ANY, min_size=1, max_size=8))
@settings(deadline=None, max_examples=150)
def test_serving_weighs_every_text_as_scikit_learn_does(block: Block, texts: list[str]) -> None:
    texts = [*texts, "the airlift from the airport goes on"]
    vocabulary, expected = learnt(texts, block)

    found = Lexicon([vocabulary]).featurise(texts)

    matrix = csr_matrix((found.weights, found.ids, found.start), shape=expected.shape)
    assert np.abs(matrix - expected).max() < 1e-12


def test_words_are_those_of_scikit_learn_s_default_vectorizer() -> None:
    texts = ["Kabul's AIRPORT, 22 planes; naïve café_1 — ΟΔΟΣ İstanbul a b cd", "x", ""]

    ours = TfidfVectorizer(analyzer=analyzer(Block(Kind.WORD, 1, 2))).fit(texts).get_feature_names_out()

    assert list(ours) == list(TfidfVectorizer(ngram_range=(1, 2)).fit(texts).get_feature_names_out())


def test_a_pair_of_words_never_reaches_over_into_the_next_article() -> None:
    block = Block(Kind.WORD, 2, 2)
    vocabulary, _ = learnt(["curfew lifted"], block)

    found = Lexicon([vocabulary]).featurise(["the curfew", "lifted today", "the curfew lifted today"])

    assert list(np.diff(found.start)) == [0, 0, 1]


def test_subwords_know_the_edges_of_a_word() -> None:
    assert terms("flee", Block(Kind.SUBWORD, 3, 5)) == [
        "<fl",
        "fle",
        "lee",
        "ee>",
        "<fle",
        "flee",
        "lee>",
        "<flee",
        "flee>",
    ]


def test_an_empty_vocabulary_and_no_texts_are_no_special_case() -> None:
    nothing = Vocabulary(BLOCKS[0], np.empty(0, dtype=np.uint64), np.empty(0))

    assert list(Lexicon([nothing]).featurise(["some text here"]).start) == [0, 0]
    assert list(Lexicon([nothing]).featurise([]).start) == [0]


@given(text=ODD | ANY)
@settings(deadline=None)
def test_the_shares_of_a_text_sum_to_its_features(text: str) -> None:
    texts = [text, "the airlift from the airport goes on, the airlift goes on"]
    vocabularies = [learnt([*texts, "one two"], block)[0] for block in BLOCKS[:2]]

    whole = Lexicon(vocabularies).featurise([text])
    _, known, parts = Lexicon(vocabularies).shares(text)

    summed = np.bincount(known.ids, weights=parts, minlength=int(max(whole.ids, default=0)) + 1)
    assert np.allclose(summed[whole.ids], whole.weights)


def test_different_terms_of_a_large_vocabulary_have_different_hashes() -> None:
    words = [f"w{number}x" for number in range(100_000)]

    assert len(np.unique(hash_terms(words, BLOCKS[0]))) == len(words)


def test_tokens_are_lower_case_runs_of_two_or_more_word_characters() -> None:
    assert tokens("U.S. Forces left; 3 of 22") == ["forces", "left", "of", "22"]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind is Kind.WORD], ids=str)
@given(text=ODD | ANY)
@settings(deadline=None)
def test_the_words_that_take_part_in_a_term_spell_it(block: Block, text: str) -> None:
    vocabulary, _ = learnt([text, "the airlift from the airport goes on, the airlift goes on"], block)

    found, known, _ = Lexicon([vocabulary]).shares(text)
    occurrence, token = taking_part(known)

    phrases = [" ".join(spelt(found, token[occurrence == one])) for one in range(len(known.ids))]
    assert sorted(phrases) == sorted(terms(text, block))
    assert list(hash_terms(phrases, block)) == list(vocabulary.hashes[known.ids])


@given(text=ODD | ANY)
@settings(deadline=None)
def test_a_subword_is_part_of_the_word_it_stands_in(text: str) -> None:
    block = BLOCKS[1]
    vocabulary, _ = learnt([text, "the airlift goes on"], block)

    found, known, _ = Lexicon([vocabulary]).shares(text)
    occurrence, token = taking_part(known)

    words = spelt(found, token)
    assert list(occurrence) == list(range(len(known.ids)))
    assert all(
        vocabulary.hashes[id_] in hash_terms(terms(word, block), block)
        for id_, word in zip(known.ids, words, strict=True)
    )


def test_every_character_alone_is_lower_cased_and_taken_for_a_word_as_python_does() -> None:
    table = fold_table().tolist()
    others = [chr(code) for code in range(0x110000) if chr(code) not in {DOTTED_I, SIGMA}]

    assert [one for one in others if len(one.lower()) != 1] == []
    assert [
        one for one in others if table[ord(one)] != (ord(one.lower()) + 1 if TOKEN.match(one.lower() * 2) else 0)
    ] == []


@given(text=ODD | ANY)
def test_the_length_of_a_lower_cased_text_is_known_without_lower_casing_it(text: str) -> None:
    assert lowered_length(text) == len(text.lower())


LONG = {
    "a word longer than those that are remembered": "airlift" * 40 + " airlift, the " + "airport" * 40,
    "more different words than are remembered": " ".join(f"w{number}x" for number in range(70_000)) + " the airlift",
    "long words among short ones": " ".join(f"goes{number} {'airport' * 10}" for number in range(300)),
    "a word that stands very often": "airlift " * 1_000,
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_is_weighed_exactly_too(block: Block, text: str) -> None:
    vocabulary, expected = learnt(["the airlift from the airport goes on", text[-2_000:], text[:2_000]], block)
    vectorizer = TfidfVectorizer(analyzer=analyzer(block), sublinear_tf=True)
    vectorizer.fit(["the airlift from the airport goes on", text[-2_000:], text[:2_000]])
    order = np.argsort(hash_terms(vectorizer.get_feature_names_out(), block))

    found = Lexicon([vocabulary]).featurise([text, text])

    matrix = csr_matrix((found.weights, found.ids, found.start), shape=(2, expected.shape[1]))
    assert np.abs(matrix - vectorizer.transform([text, text])[:, order]).max() < 1e-12


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_what_was_read_before_changes_no_bit_of_a_text_s_sums(text: str) -> None:
    vocabularies = [learnt([text[:2_000], text[-2_000:]], block)[0] for block in BLOCKS]
    weights = np.random.default_rng(5).normal(size=(sum(len(one.hashes) for one in vocabularies), 9)).astype(np.float32)
    fresh, used = Lexicon(vocabularies), Lexicon(vocabularies)

    for before in LONG.values():
        used.sums([before], used.lanes(weights))
        used.shares(before)

    assert np.array_equal(
        fresh.sums([text], fresh.lanes(weights)), used.sums(["the end", text], used.lanes(weights))[1:]
    )


@given(text=ODD | ANY)
@settings(deadline=None)
def test_sums_are_features_times_weights_for_any_number_of_outputs(text: str) -> None:
    vocabularies = [learnt([text, "the airlift from the airport goes on"], block)[0] for block in BLOCKS]
    weights = (
        np.random.default_rng(5).normal(size=(sum(len(one.hashes) for one in vocabularies), 11)).astype(np.float32)
    )
    ours = Lexicon(vocabularies)

    found = ours.featurise(["the airport", text])

    matrix = csr_matrix((found.weights, found.ids, found.start), shape=(2, len(weights)))
    assert np.allclose(ours.sums(["the airport", text], ours.lanes(weights))[:, :11], matrix @ weights, atol=1e-12)


def test_threads_that_read_at_once_read_as_one_would() -> None:
    vocabularies = [learnt(["the airlift from the airport goes on"], block)[0] for block in BLOCKS]
    ours = Lexicon(vocabularies)
    weights = ours.lanes(np.ones((sum(len(one.hashes) for one in vocabularies), 6), dtype=np.float32))
    texts = [f"the airlift {number} " * (3_000 + number) + "airport" * (number % 13) for number in range(60)]
    alone = [ours.sums([text], weights) for text in texts]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: ours.sums([text], weights), texts))

    assert np.array_equal(alone, together)


def test_more_text_at_once_than_places_can_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "LARGEST", 10)

    with pytest.raises(ValueError, match="11 bytes of text at once"):
        Lexicon([]).sums(["the ", "airlift"], np.zeros((0, 8), dtype=np.float32))
