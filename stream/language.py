"""Language: is a text likely to be English, the only language the model was taught?"""

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from stream.features import Block, Kind, Vocabulary, hash_terms

if TYPE_CHECKING:
    from stream.lexicon import Lexicon

FUNCTION_WORDS: Final = frozenset(
    "the of and to in that is was for on with as by at from his her they were has have had it be are said not who "
    "after this but which their an been will its he she we you or would about more than people".split()
)
FEWEST_TOKENS: Final = 12  # below it a share means little, and the text gets the benefit of the doubt
LEAST_SHARE: Final = 0.12  # English news has 0.3 to 0.45, German or French text below 0.06
READ: Final = 1_000  # characters are enough to tell


def looks_english(declared: str | None, text: str) -> bool:
    """By the declared BCP 47 tag where there is one, else by the share of English function words among the first tokens."""
    if declared is not None:
        return declared.lower().split("-")[0] in {"en", "eng", "und"}
    tokens, known = _function_words().count(text[:READ])
    return tokens < FEWEST_TOKENS or known >= LEAST_SHARE * tokens


@cache
def _function_words() -> "Lexicon":
    from stream.lexicon import Lexicon  # noqa: PLC0415  (imported when the model was made)

    block = Block(Kind.WORD, 1, 1)
    return Lexicon([Vocabulary(block, np.sort(hash_terms(FUNCTION_WORDS, block)), np.ones(len(FUNCTION_WORDS)))])
