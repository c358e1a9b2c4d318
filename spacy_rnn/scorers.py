"""Registered scorers; every score lies in [0, 1]."""

from typing import Any, Callable, Dict, Iterable, Sequence

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
