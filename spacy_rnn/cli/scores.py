"""Tables of scores, as ``python -m spacy evaluate`` prints them, for all components."""

from typing import Any, Dict, Iterable, List, Mapping

from spacy.cli.evaluate import print_prf_per_type, print_textcats_auc_per_cat
from spacy.training import Example
from wasabi import msg

#: scores that are not shares, which are printed as they are
NUMBERS = ("mae", "rmse", "pearson", "spearman", "ppl", "bpc", "piece_ppl")
#: scores of the tokenizer that add nothing to its accuracy, and the name of another score
LEFT_OUT = ("token_p", "token_r", "token_f", "cats_score_desc")
#: the endings of scores for each label, and what they are printed as
PER_LABEL = {"_per_type": "type", "_per_feat": "feature", "_per_target": "target"}


def remove_missing_cats(scores: Dict[str, Any], examples: Iterable[Example]) -> List[str]:
    """Replace the scores of labels in `doc.cats` that no text has, which spaCy computes as 0, by
    None, and all scores of `doc.cats` if it is never annotated.

    scores (Dict[str, Any]): The result of `nlp.evaluate`, which is changed.
    examples (Iterable[Example]): The examples.
    RETURNS (List[str]): The labels, if `doc.cats` is annotated.
    """
    golds = [eg.reference.cats for eg in examples]
    if not any(golds):
        scores.update({name: None for name in scores if name.startswith("cats_")})
        return []
    found = {label for cats in golds for label, value in cats.items() if value}
    by_label = scores.get("cats_f_per_type", {})
    missing = [label for label in by_label if label not in found]
    for label in missing:
        by_label[label] = dict.fromkeys(by_label[label])
    return missing


def print_scores(scores: Mapping[str, Any]) -> None:
    """Print the scores of all examples together: shares in percent, others as they are.

    scores (Mapping[str, Any]): The result of `nlp.evaluate`.
    """
    rows = {
        name: show_score(name, value)
        for name, value in scores.items()
        if name not in LEFT_OUT
        and not name.endswith(tuple(PER_LABEL))
        and (value is None or isinstance(value, (int, float)))
    }
    if scores.get("cats_score_desc"):
        rows = {
            f"{name} ({scores['cats_score_desc']})" if name == "cats_score" else name: value
            for name, value in rows.items()
        }
    msg.table(rows, title="Results", aligns=("l", "r"))


def print_scores_per_label(scores: Mapping[str, Any]) -> None:
    """Print the scores of each label, morphological feature or target.

    scores (Mapping[str, Any]): The result of `nlp.evaluate`.
    """
    for name, by_label in scores.items():
        for ending, kind in PER_LABEL.items():
            if name.endswith(ending) and by_label:
                _print_table(name.removesuffix(ending), kind, by_label)


def show_score(name: str, value: Any) -> str:
    """Write a score as text.

    name (str): Its name.
    value (Any): Its value; None if there is nothing to score.
    RETURNS (str): The text.
    """
    if value is None:
        return "-"
    if name == "speed":
        return f"{value:,.0f} words/s"
    return f"{value:,.3f}" if name in NUMBERS else f"{100 * value:.2f}"


def _print_table(name: str, kind: str, by_label: Dict[str, Any]) -> None:
    first = next(iter(by_label.values()))
    if not isinstance(first, dict):
        print_textcats_auc_per_cat(msg, _filled(by_label))
    elif first.keys() == {"p", "r", "f"}:
        shown = {label: _filled(found) for label, found in by_label.items()}
        print_prf_per_type(msg, shown, name, kind)
    else:
        header: List[str] = ["", *first]
        rows = [
            [label, *(show_score(each, value) for each, value in found.items())]
            for label, found in by_label.items()
        ]
        aligns: Any = ["l", *"r" * len(first)]
        msg.table(rows, header=header, aligns=aligns, title=f"{name} (per {kind})")


def _filled(scores: Mapping[str, Any]) -> Dict[str, Any]:
    """The scores, with a dash for missing ones."""
    return {name: "-" if value is None else value for name, value in scores.items()}
