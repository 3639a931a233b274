"""Report: an evaluation as one page to look at: plots first, numbers folded; no text of an article, nothing from elsewhere."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.model import Card
from training import plots
from training.evaluate import Judged, headlines, said_labels, true_labels
from training.slices import FEWEST, FIGURES, TURN, Estimate
from training.tables import all_numbers, miss_tables, number, threshold_table, told
from training.thresholds import operating_curve

STYLE: Final = Path(__file__).with_name("report.css")
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"  # a browser holds the page to what it promises
SET_APART: Final = re.compile(r"on (\d+) items set apart")
# Headline figures and what they are called where there is little room, in the order in which to look at them.
BETTER: Final = {
    name: name
    for name in (
        "alert precision",
        "alert recall",
        "alert F1",
        "urgency kappa, items with a topic",
        "mean average precision",
        "macro F1 of topics",
    )
}
WORSE: Final = {
    "calibration error of topics": "calibration error (less is better)",
    "Brier score of topics": "Brier score (less is better)",
}
TITLES: Final = {
    "time": f"Before {TURN} and since",
    "length": "Length",
    "source": "Source",
    "region": "Region that the opening names",
    "year": "Year of publication",
}


def page(judged: Judged, found: dict[str, Any], of: str, created: str) -> str:
    """The page of what `quality` found of `judged`; `of` names the file of labels, `created` is RFC 3339."""
    card = judged.card
    title = f"{card.name} {card.version} on {of}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{told(title)}</title>
<style>
{STYLE.read_text()}</style>
</head>
<body>
{_head(judged, found, of, created)}
<main>
{_topics(judged, found)}
{_urgency(found)}
{_calibration(found)}
{_slices(found)}
{_model(card)}
<details><summary>All numbers</summary>
{all_numbers(found)}
</details>
<details><summary>The worst misses, by id</summary>
<p>Where the model was surest and wrong, the worst first. The texts are with whoever holds them. An alert is ranked by the
weaker of the two that it needs: its likeliest topic, and urgency of at least medium.</p>
{miss_tables(found["misses"])}
</details>
</main>
</body>
</html>
"""


def verdict(found: dict[str, Any], alerts: int) -> str:
    """What the figures come to, in a sentence; `alerts` is the number that the model raised."""
    right = _hundred(found, "alert precision")
    caught = _hundred(found, "alert recall")
    raised = f"Of 100 alerts, {right} are right" if alerts else "No alert was raised"
    deserved = f"of 100 articles that deserve one, {caught} get it"
    return f"{raised}; {deserved if found['alert']['support'] else 'no article here deserves one'}."


def below(found: dict[str, Any]) -> list[str]:
    """The slices of which an interval lies below the figure of the whole, by name and figure."""
    whole = _whole(found)
    return [
        f"{part.name} ({label} {one.value:.2f}, the whole {whole[field]:.2f})"
        for part in found["slices"]
        for field, label in FIGURES.items()
        if (one := getattr(part, field)) is not None and one.high < whole[field]
    ]


def kindness(card: Card, items: int) -> str:
    """A warning where the card says that thresholds were chosen on items set apart: these may be the same. Empty where not."""
    chosen = {int(found[1]) for point in card.thresholds.values() if (found := SET_APART.search(point.chosen_by))}
    if not chosen:
        return ""
    same = f"; there are {number(items)} here, so they may well be the same" if items in chosen else ""
    return (
        f"The card says that thresholds were chosen on {' and '.join(map(number, sorted(chosen)))} items set apart{same}. "
        "Where items here are among those, precision, recall, F1 and kappa are kinder than new articles will be. "
        "Average precision, Brier score and calibration do not depend on thresholds."
    )


def _head(judged: Judged, found: dict[str, Any], of: str, created: str) -> str:
    true, said = true_labels(judged.truth).alert, said_labels(judged.card, judged.topics, judged.urgency).alert
    right, false, missed = (int(flags.sum()) for flags in (true & said, said & ~true, true & ~said))
    facts = (
        f"model {judged.card.version}",
        f"{number(found['items'])} items of {of}",
        f"{number(found['alert']['support'])} deserve an alert",
        f"measured {created[:10]}",
    )
    shown = BETTER | {f"F1 of {topic}": f"F1 of {topic}" for topic in judged.names} | WORSE
    rows = [(label, _estimate(found, name)) for name, label in shown.items()]
    return f"""<header>
<p class="eyebrow">How good are the labels?</p>
<h1>{told(verdict(found, right + false))}</h1>
<p class="facts">{"".join(f"<span>{told(fact)}</span>" for fact in facts)}</p>
<div class="hero">
<div>
{plots.outcomes("outcomes", right, false, missed)}
{_summary(found)}
{_noted(kindness(judged.card, found["items"]))}
</div>
<figure>
{plots.forest("headlines", rows)}
<figcaption>Dots are the figures, bars their 95 % intervals: what other items of this kind would give.</figcaption>
</figure>
</div>
</header>"""


def _summary(found: dict[str, Any]) -> str:
    weakest = min(found["topics"], key=lambda topic: found["topics"][topic]["f1"])
    sentences = [
        f"Topics are told with a macro F1 of {found['macro_f1']:.2f}; "
        f"the weakest is {weakest} with {found['topics'][weakest]['f1']:.2f}.",
        f"Urgency agrees with the readers at a quadratic kappa of {found['urgency']['kappa']:.2f}, where there is a topic.",
        f"Probabilities of topics are off by {found['calibration_error']:.3f} on average.",
    ]
    behind = below(found)
    if behind:
        sentences.append(f"Clearly below the whole: {'; '.join(behind)}.")
    else:
        sentences.append(f"No slice of {FEWEST} items or more is clearly below the whole.")
    return f"<p>{told(' '.join(sentences))}</p>"


def _topics(judged: Judged, found: dict[str, Any]) -> str:
    drawn = [
        plots.precision_recall(f"topic-{k}", topic, _curve(judged, found, k)) for k, topic in enumerate(judged.names)
    ]
    return _section(
        "Topics",
        "Each curve is what precision costs in recall as the threshold falls. The dot is the threshold in use.",
        drawn,
    )


def _curve(judged: Judged, found: dict[str, Any], k: int) -> plots.Curve:
    topic = judged.names[k]
    _, curves = operating_curve(judged.topics[:, k], judged.truth[:, k])
    row = found["topics"][topic]
    return plots.Curve(
        precision=curves.get("precision", np.empty(0)),
        recall=curves.get("recall", np.empty(0)),
        average_precision=row["average_precision"],
        threshold=judged.card.thresholds[topic].threshold,
        chosen=(row["precision"], row["recall"]),
        share=row["support"] / found["items"],
    )


def _urgency(found: dict[str, Any]) -> str:
    urgency = found["urgency"]
    return _section(
        "Urgency",
        "Rows are what readers said, columns what the model said, the shade a cell's share of its row. Right of the framed "
        "diagonal the model was too urgent, left of it not urgent enough.",
        [
            plots.heat_map("urgency", "items with a topic", urgency["confusion_with_topic"], urgency["kappa"]),
            plots.heat_map("urgency-all", "all items", urgency["confusion"], urgency["kappa_of_all"]),
        ],
    )


def _calibration(found: dict[str, Any]) -> str:
    drawn = [plots.reliability(f"bins-{k}", of, one) for k, (of, one) in enumerate(found["reliability"].items())]
    return _section(
        "Can a probability be taken at its word?",
        "On the dotted line, what was said with 70 % is true in 7 of 10 cases. Below it the model says too much, above it too "
        'little. Bars below are the items of each bin (in "all topics", each item once for each topic); few items, long whiskers.',
        drawn,
        "plots small",
    )


def _slices(found: dict[str, Any]) -> str:
    by = {kind: [part for part in found["slices"] if part.by == kind] for kind in TITLES}
    drawn = [
        f"<div><h3>{told(TITLES[kind])}</h3>\n{plots.dots(f'by-{kind}', TITLES[kind], parts, _whole(found))}</div>"
        for kind, parts in by.items()
        if parts
    ]
    return _section(
        "Is a part of it worse?",
        f"The upright mark is the figure of all items. A slice is clearly below where its whole bar is left of the mark; chance "
        f"alone does that to one figure in forty. Slices under {FEWEST} items are counted, not measured.",
        drawn,
        "plots wide",
    )


def _model(card: Card) -> str:
    return f"""<section>
<h2>The model</h2>
<p>{told(card.name)} {told(card.version)}, made {told(card.created[:10])}. Each threshold was chosen by a sentence.</p>
{threshold_table(card)}
</section>"""


def _section(title: str, words: str, drawn: Iterable[str], kind: str = "plots") -> str:
    return f'<section>\n<h2>{told(title)}</h2>\n<p>{told(words)}</p>\n<div class="{kind}">{"".join(drawn)}</div>\n</section>'


def _noted(words: str) -> str:
    return f'<p class="note">{told(words)}</p>' if words else ""


def _whole(found: dict[str, Any]) -> dict[str, float]:
    return {
        "macro_f1": found["macro_f1"],
        "mean_average_precision": found["mean_average_precision"],
        "alert_f1": found["alert"]["f1"],
    }


def _estimate(found: dict[str, Any], name: str) -> Estimate:
    return Estimate(headlines(tuple(found["topics"]))[name](found), *found["intervals"][name])


def _hundred(found: dict[str, Any], name: str) -> str:
    one = _estimate(found, name)
    return f"{100 * one.value:.0f} ({100 * one.low:.0f} to {100 * one.high:.0f})"
