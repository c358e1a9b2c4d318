"""What is wrong with a config or its corpora, and what to do about it."""

from typing import Iterator, List

from .labels import Labels
from .report import Component, Report

#: fewer training documents, or occurrences of a label, are few
FEW_DOCUMENTS, FEW_LABELS = 100, 5
#: a larger share of unknown words is large
UNKNOWN = 0.2
#: labels that are named in one message
N_NAMED = 10

CURES = {
    "vectors": "Take vectors of the same kind of text, with the same tokens.",
    "words": "Train on more text, lower min_freq, or let the embedding see such words in another "
    "way: by characters, affixes, pieces or vectors.",
}
OTHER_CURE = "Train on more text, or on text that is more like that of the dev corpus."


def advice(report: Report) -> List[str]:
    """Warnings, each with its cure."""
    found = list(_of_corpora(report))
    for name, component in report.components.items():
        found += [f"{name}: {warning}" for warning in _of_component(component)]
    return found


def _of_corpora(report: Report) -> Iterator[str]:
    if report.train.documents < FEW_DOCUMENTS:
        yield (
            f"There are only {report.train.documents} training documents. A network needs some "
            f"hundreds, better thousands."
        )
    for part, corpus in (("train", report.train), ("dev", report.dev)):
        if corpus.empty:
            yield (
                f"{corpus.empty} of {corpus.documents} documents of the {part} corpus are empty. "
                f"Leave them out."
            )
    if report.leaked:
        yield (
            f"{report.leaked} of {report.dev.documents} documents of the dev corpus are in the "
            f"training corpus too: scores will be too good. Remove them from one of both."
        )


def _of_component(component: Component) -> Iterator[str]:
    for side, of_side in component.vocabularies.items():
        for name, vocabulary in of_side.items():
            share = vocabulary.dev.unknown_tokens
            if share > UNKNOWN:
                yield (
                    f"{share:.0%} of the words of the dev corpus ({side}) are unknown to its "
                    f"{name}, or in part. {CURES.get(name, OTHER_CURE)}"
                )
    for name, target in component.targets.items():
        if isinstance(target, Labels):
            yield from _of_labels(name, target)
    for part, reasons in component.lost.items():
        for reason, n in reasons.items():
            yield (
                f"Annotation of the {part} corpus that cannot be learned: {n} {reason}. Correct "
                f"the annotation or the rules of the tokenizer."
            )
    for part in ("train", "dev"):
        if component.cut[part]:
            yield (
                f"{component.cut[part]} documents of the {part} corpus are longer than max_length "
                f"= {component.bounds.max_length} tokens and will be cut. Raise it, or set it to 0."
            )
        if component.windowed[part]:
            yield (
                f"{component.windowed[part]} documents of the {part} corpus are longer than window "
                f"= {component.bounds.window} tokens. They are predicted in windows, and in "
                f"training take much memory: split them, or set max_length."
            )


def _of_labels(name: str, target: Labels) -> Iterator[str]:
    rare = [label for label, n in target.train.counts.items() if n < FEW_LABELS]
    rare = [label for label in rare if label not in target.unseen]
    if rare:
        yield (
            f"{len(rare)} labels of '{name}' occur less than {FEW_LABELS} times in the training "
            f"corpus: {_named(rare)}. Annotate more, or merge them with others."
        )
    if target.unseen:
        yield (
            f"{len(target.unseen)} labels of '{name}' are in the dev corpus alone and cannot be "
            f"found: {_named(target.unseen)}. Split the data anew, or correct the labels."
        )


def _named(labels: List[str]) -> str:
    more = ", ..." if len(labels) > N_NAMED else ""
    return ", ".join(labels[:N_NAMED]) + more
