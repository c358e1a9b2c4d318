"""Registered scorers. Accuracies, BLEU and chrF are in [0, 1]."""

import logging
import math
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np
from spacy.scorer import Scorer
from spacy.tokens import Token
from spacy.training import Example

from .extensions import values_as_read
from .optional import optional_import

logger = logging.getLogger("spacy_rnn")


def _morph_key(token: Token, attribute: str) -> int:
    return getattr(token, attribute).key


def tagger_score(
    examples: Iterable[Example], *, targets: Sequence[str] = ("tag",), **cfg: Any
) -> Dict[str, Any]:
    """Score the targets of a tagger. Tokens without annotation are not counted.

    The scores are ``tag_acc``, ``pos_acc`` and ``morph_acc``, the accuracy of each target;
    ``morph_per_feat``, the scores of each morphological feature; and ``label_acc``, the mean of the
    accuracies.

    examples (Iterable[Example]): The examples.
    targets (Sequence[str]): The targets: "tag", "pos" and "morph".
    RETURNS (Dict[str, Any]): The scores.
    """
    examples = list(examples)
    scores: Dict[str, Any] = {}
    for target in targets:
        if target == "morph":
            scores.update(Scorer.score_token_attr(examples, "morph", getter=_morph_key, **cfg))
            scores.update(
                Scorer.score_token_attr_per_feat(
                    examples, "morph", getter=_morph_key, missing_values={0}, **cfg
                )
            )
        else:
            scores.update(Scorer.score_token_attr(examples, target, **cfg))
    accuracies = [scores[f"{target}_acc"] for target in targets]
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    scores["label_acc"] = sum(known) / len(known) if known else None
    return scores


def make_tagger_scorer() -> Callable[..., Dict[str, Any]]:
    """spacy_rnn.tagger_scorer.v1: see `tagger_score`."""
    return tagger_score


def regression_score(
    examples: Iterable[Example], *, attr: str = "regression", labels: Iterable[str] = (), **cfg: Any
) -> Dict[str, Any]:
    """Score the numbers of a regressor in ``doc._.ATTR``, averaged over targets.

    * ``mae`` and ``rmse``: mean absolute error and root mean squared error, in the units of the
      targets.
    * ``pearson`` and ``spearman``: the correlations of values and of ranks, from -1 to 1; 0 if the
      predictions or the gold values are constant.
    * ``regression_per_target``: these four scores for each target.

    Texts without a gold value are not counted. A missing prediction counts as 0.

    examples (Iterable[Example]): The examples.
    attr (str): The name of the Doc extension.
    labels (Iterable[str]): The names of the targets.
    RETURNS (Dict[str, Any]): The scores.
    """
    pairs: Dict[str, List[Tuple[float, float]]] = {label: [] for label in labels}
    for eg in examples:
        gold = eg.reference._.get(attr) or {}
        predicted = eg.predicted._.get(attr) or {}
        for label, found in pairs.items():
            if label in gold:
                found.append((predicted.get(label, 0.0), gold[label]))
    per_target = {label: _compare(*np.array(p).T) for label, p in pairs.items() if p}
    scores: Dict[str, Any] = {"regression_per_target": per_target}
    for metric in ("mae", "rmse", "pearson", "spearman"):
        values = [target[metric] for target in per_target.values()]
        scores[metric] = sum(values) / len(values) if values else None
    return scores


def make_regression_scorer() -> Callable[..., Dict[str, Any]]:
    """spacy_rnn.regression_scorer.v1: see `regression_score`."""
    return regression_score


def language_model_score(
    examples: Iterable[Example], *, attr: str = "log_probability", **cfg: Any
) -> Dict[str, Any]:
    """Score the log-probabilities of a language model in ``doc._.ATTR``, over all texts together.
    The end of a text counts as a token.

    * ``ppl``: perplexity, exp of the mean negative log-probability per token.
    * ``bpc``: bits per character, the mean negative log-probability per character to base 2.
    * ``lm_score``: the space that a compressor with these probabilities saves, as a share of the
      size of the texts in UTF-8: 1 for certainty, 0 if nothing is saved, negative if it is worse.
      It rises as the perplexity falls, and compares models with different units.

    Texts without log-probabilities are not counted.

    examples (Iterable[Example]): The examples.
    attr (str): The name of the Doc extension.
    RETURNS (Dict[str, Any]): The scores.
    """
    total, n_tokens, n_characters, n_bytes = 0.0, 0, 0, 0
    for eg in examples:
        values = values_as_read(eg.predicted, attr)
        if values is not None:
            total += sum(values)
            n_tokens += len(values)
            n_characters += len(eg.predicted.text)
            n_bytes += len(eg.predicted.text.encode("utf8"))
    if not n_tokens:
        return dict.fromkeys(("ppl", "bpc", "lm_score"))
    bits = -total / math.log(2)
    return {
        "ppl": math.exp(min(-total / n_tokens, 700.0)),
        "bpc": bits / max(n_characters, 1),
        "lm_score": 1 - bits / (8 * max(n_bytes, 1)),
    }


def make_language_model_scorer() -> Callable[..., Dict[str, Any]]:
    """spacy_rnn.language_model_scorer.v1: see `language_model_score`."""
    return language_model_score


def translation_score(
    examples: Iterable[Example],
    *,
    attr: str = "translation",
    tokenize: str = "13a",
    **cfg: Any,
) -> Dict[str, Any]:
    """Score the translations in ``doc._.ATTR`` with sacrebleu, over all texts together.

    * ``bleu``: BLEU, matching word n-grams of up to four words (Papineni et al. 2002).
    * ``chrf``: chrF, matching character n-grams of up to six characters (Popović 2015).

    Texts without a gold translation are not counted. A missing prediction counts as an empty one.
    The signatures of the scores, which make them comparable, are logged once each.

    examples (Iterable[Example]): The examples.
    attr (str): The name of the Doc extension.
    tokenize (str): The tokenizer for BLEU: "13a" for most languages, "zh", "ja-mecab" and
        "ko-mecab" for theirs, "char" for characters, "flores200" for any language, which needs a
        download.
    RETURNS (Dict[str, Any]): The scores.
    """
    with optional_import("sacrebleu", "Scoring translations"):
        from sacrebleu import BLEU, CHRF

    _check_tokenizer(tokenize)
    predicted: List[str] = []
    gold: List[str] = []
    for eg in examples:
        truth = eg.reference._.get(attr)
        if truth:
            gold.append(truth)
            predicted.append(eg.predicted._.get(attr) or "")
    if not gold:
        return {"bleu": None, "chrf": None}
    scores: Dict[str, Any] = {}
    for name, metric in (("bleu", BLEU(tokenize=tokenize)), ("chrf", CHRF())):
        # Rounding can lift a perfect score a little.
        percent = min(metric.corpus_score(predicted, [gold]).score, 100.0)
        scores[name] = percent / 100
        _log_signature(name, str(metric.get_signature()))
    return scores


def make_translation_scorer(tokenize: str = "13a") -> Callable[..., Dict[str, Any]]:
    """spacy_rnn.translation_scorer.v1: see `translation_score`."""
    # Checked only if sacrebleu is installed: a pipeline that only predicts does not need it.
    if tokenize != "13a" and find_spec("sacrebleu"):
        _check_tokenizer(tokenize)
    return partial(translation_score, tokenize=tokenize)


def _check_tokenizer(tokenize: str) -> None:
    from sacrebleu import BLEU

    if tokenize not in BLEU.TOKENIZERS:
        raise ValueError(
            f"'tokenize' must be one of sacrebleu's {list(BLEU.TOKENIZERS)}, got {tokenize!r}."
        )


@cache
def _log_signature(name: str, signature: str) -> None:
    logger.info("The signature of %s: %s", name, signature)


def _compare(predicted: np.ndarray, gold: np.ndarray) -> Dict[str, float]:
    errors = predicted - gold
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "pearson": _correlation(predicted, gold),
        "spearman": _correlation(_ranks(predicted), _ranks(gold)),
    }


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(x: np.ndarray) -> np.ndarray:
    """The rank of each value. Equal values have the mean of their ranks."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
