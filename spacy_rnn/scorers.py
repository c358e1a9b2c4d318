"""Registered scorers. Accuracies lie in [0, 1]."""

from typing import Any, Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np
from spacy.scorer import Scorer
from spacy.tokens import Token
from spacy.training import Example


def _morph_key(token: Token, attribute: str) -> int:
    return getattr(token, attribute).key


def tagger_score(
    examples: Iterable[Example], *, targets: Sequence[str] = ("tag",), **cfg: Any
) -> Dict[str, Any]:
    """Accuracy of each target (``tag_acc``, ``pos_acc``, ``morph_acc``, and of the morphology each
    feature, ``morph_per_feat``), and ``label_acc``, their mean. Tokens without annotation do not
    count."""
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
    """How near the numbers in ``doc._.ATTR`` come to the gold ones: means over the targets of

    * ``regression_mae`` and ``regression_rmse``, mean absolute and root mean squared error, in the
      targets' own units;
    * ``regression_pearson`` and ``regression_spearman``, the correlation of the values and of their
      ranks, -1 to 1; 0 where one side is constant.

    ``regression_per_target`` has the four of each target. Texts without a gold value do not count;
    a prediction that is missing is an error of the gold value's size, as if it were 0.
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
        scores[f"regression_{metric}"] = sum(values) / len(values) if values else None
    return scores


def make_regression_scorer() -> Callable[..., Dict[str, Any]]:
    """spacy_rnn.regression_scorer.v1: see `regression_score`."""
    return regression_score


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
    """The rank of each value, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
