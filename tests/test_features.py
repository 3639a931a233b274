"""Serving and training see the same features, whatever the text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from stream.features import (
    Block,
    Kind,
    Vocabulary,
    analyzer,
    featurise,
    hash_terms,
    shares,
    spelt,
    taking_part,
    terms,
    tokens,
)

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

    found = featurise(texts, [vocabulary])

    matrix = csr_matrix((found.weights, found.ids, found.start), shape=expected.shape)
    assert np.abs(matrix - expected).max() < 1e-12


def test_words_are_those_of_scikit_learn_s_default_vectorizer() -> None:
    texts = ["Kabul's AIRPORT, 22 planes; naïve café_1 — ΟΔΟΣ İstanbul a b cd", "x", ""]

    ours = TfidfVectorizer(analyzer=analyzer(Block(Kind.WORD, 1, 2))).fit(texts).get_feature_names_out()

    assert list(ours) == list(TfidfVectorizer(ngram_range=(1, 2)).fit(texts).get_feature_names_out())


def test_a_pair_of_words_never_reaches_over_into_the_next_article() -> None:
    block = Block(Kind.WORD, 2, 2)
    vocabulary, _ = learnt(["curfew lifted"], block)

    found = featurise(["the curfew", "lifted today", "the curfew lifted today"], [vocabulary])

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

    assert list(featurise(["some text here"], [nothing]).start) == [0, 0]
    assert list(featurise([], [nothing]).start) == [0]


@given(text=ODD | ANY)
@settings(deadline=None)
def test_the_shares_of_a_text_sum_to_its_features(text: str) -> None:
    texts = [text, "the airlift from the airport goes on, the airlift goes on"]
    vocabularies = [learnt([*texts, "one two"], block)[0] for block in BLOCKS[:2]]

    whole = featurise([text], vocabularies)
    _, known, parts = shares(text, vocabularies)

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

    found, known, _ = shares(text, [vocabulary])
    occurrence, token = taking_part(known)

    phrases = [" ".join(spelt(found, token[occurrence == one])) for one in range(len(known.ids))]
    assert sorted(phrases) == sorted(terms(text, block))
    assert list(hash_terms(phrases, block)) == list(vocabulary.hashes[known.ids])


@given(text=ODD | ANY)
@settings(deadline=None)
def test_a_subword_is_part_of_the_word_it_stands_in(text: str) -> None:
    block = BLOCKS[1]
    vocabulary, _ = learnt([text, "the airlift goes on"], block)

    found, known, _ = shares(text, [vocabulary])
    occurrence, token = taking_part(known)

    words = spelt(found, token)
    assert list(occurrence) == list(range(len(known.ids)))
    assert all(
        vocabulary.hashes[id_] in hash_terms(terms(word, block), block)
        for id_, word in zip(known.ids, words, strict=True)
    )
