"""Warnings about a config and its corpora, with what to do."""

from typing import Iterator, List

from ..pipeline.annotation import LOST_BY_READERS, ZERO_FOR_OTHERS
from .labels import LabelTarget
from .report import ComponentReport, Report

#: fewer training documents, or occurrences of a label, cause a warning
FEW_DOCUMENTS, FEW_LABELS = 100, 5
#: a larger share of unknown words causes a warning
UNKNOWN = 0.2
#: labels that are named in one message
N_NAMED = 10

CURES = {
    "vectors": "Take vectors of the same kind of text, with the same tokens.",
    "words": "Train on more text, lower min_freq, or let the embedding see such words in another "
    "way: by characters, affixes, pieces or vectors.",
}
#: consequences of labels that no document lacks
NEVER_ABSENT = {
    "train": "They will be predicted for all texts.",
    "dev": "Predicting them is never counted as wrong.",
}
OTHER_CURE = "Train on more text, or on text that is more like that of the dev corpus."


def find_warnings(report: Report) -> List[str]:
    """Return warnings, each with what to do."""
    found = list(_of_corpora(report))
    for name, component in report.components.items():
        found += [f"{name}: {warning}" for warning in _of_component(component)]
    return found


def _of_corpora(report: Report) -> Iterator[str]:
    if report.train.documents < FEW_DOCUMENTS:
        yield (
            f"Training documents: only {report.train.documents}. A network needs hundreds, better "
            f"thousands."
        )
    for part, corpus in (("train", report.train), ("dev", report.dev)):
        if corpus.empty:
            yield (
                f"Empty documents in the {part} corpus: {corpus.empty} of {corpus.documents}. "
                f"Leave them out."
            )
        if report.left_out[part]:
            yield (
                f"Tokens of the {part} corpus that its reader leaves out: {report.left_out[part]}. "
                f"They are of sentences, or of documents without sentences, as long as its "
                f"max_length. Raise it or set it to 0, or set sentence starts in the files."
            )
    if report.leaked:
        yield (
            f"Documents of the dev corpus that are in the training corpus too: {report.leaked} of "
            f"{report.dev.documents}. Scores will be too good: remove them from one of the two."
        )


def _of_component(component: ComponentReport) -> Iterator[str]:
    for side, of_side in component.vocabularies.items():
        for name, vocabulary in of_side.items():
            share = vocabulary.dev.unknown_tokens
            if share > UNKNOWN:
                yield (
                    f"Words of the dev corpus ({side}) that are unknown, whole or in part, to its "
                    f"{name}: {share:.0%}. {CURES.get(name, OTHER_CURE)}"
                )
    for part, n in component.unannotated.items():
        if n:
            yield (
                f"Documents of the {part} corpus without {' or '.join(component.annotation)}: {n}. "
                f"{LOST_BY_READERS}"
            )
    for part, labels in component.never_absent.items():
        if labels:
            yield (
                f"Labels that no document of the {part} corpus lacks, {len(labels)}: "
                f"{_named(labels)}. {NEVER_ABSENT[part]} {ZERO_FOR_OTHERS}"
            )
    for name, target in component.targets.items():
        if isinstance(target, LabelTarget):
            yield from _of_labels(name, target)
    for part, reasons in component.lost.items():
        for reason, n in reasons.items():
            yield (
                f"Annotation of the {part} corpus that is lost, {reason}: {n}. Correct it, or the "
                f"rules of the tokenizer."
            )
    bounds = component.bounds
    for part in ("train", "dev"):
        if component.cut[part]:
            yield (
                f"Documents of the {part} corpus of more than max_length = {bounds.max_length} "
                f"tokens: {component.cut[part]}. The rest is not read: raise max_length, or set it "
                f"to 0."
            )
        if component.windowed[part]:
            yield (
                f"Documents of the {part} corpus of more than window = {bounds.window} tokens: "
                f"{component.windowed[part]}. They are predicted in windows, and take much memory "
                f"in training: split them, or bound them by max_length, of a text classifier or "
                f"regressor by that of the model."
            )


def _of_labels(name: str, target: LabelTarget) -> Iterator[str]:
    counts = target.train.counts
    rare = [label for label in counts if counts[label] < FEW_LABELS and label not in target.unseen]
    if rare:
        yield (
            f"Labels of '{name}' with less than {FEW_LABELS} occurrences in the training corpus, "
            f"{len(rare)}: {_named(rare)}. Annotate more, or merge them with others."
        )
    if target.unseen:
        yield (
            f"Labels of '{name}' that only the dev corpus has, {len(target.unseen)}: "
            f"{_named(target.unseen)}. They cannot be found: split the data anew, or correct them."
        )


def _named(labels: List[str]) -> str:
    more = ", ..." if len(labels) > N_NAMED else ""
    return ", ".join(labels[:N_NAMED]) + more
