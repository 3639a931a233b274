"""Language: is a text likely to be English, the only language the model was taught?"""

from collections.abc import Sequence
from typing import Final

FUNCTION_WORDS: Final = frozenset(
    "the of and to in that is was for on with as by at from his her they were has have had it be are said not who "
    "after this but which their an been will its he she we you or would about more than people".split()
)
FEWEST_TOKENS: Final = 12  # below it a share means little, and the text gets the benefit of the doubt
LEAST_SHARE: Final = 0.12  # English news has 0.3 to 0.45, German or French text below 0.06


def looks_english(declared: str | None, tokens: Sequence[str]) -> bool:
    """By the declared BCP 47 tag where there is one, else by the share of English function words among `tokens`."""
    if declared is not None:
        return declared.lower().split("-")[0] in {"en", "eng", "und"}
    if len(tokens) < FEWEST_TOKENS:
        return True
    return sum(token in FUNCTION_WORDS for token in tokens) >= LEAST_SHARE * len(tokens)
