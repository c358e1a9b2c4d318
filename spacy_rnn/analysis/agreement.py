"""Long-distance agreement of verbs with their subjects (Linzen, Dupoux and Goldberg 2016)."""

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Iterable, List, Literal, Mapping, NamedTuple, Optional, Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..architectures.language_model import is_backward
from ..display.curves import Panel, save_curves
from ..features.units import Words
from ..pipeline.language_model import RNNLanguageModel
from ..readers.text_io import checked_text
from ..text_files import read_json

GroupBy = Literal["distance", "attractors"]


@dataclass(frozen=True)
class AgreementCase:
    """A sentence with a subject and its verb.

    words (List[str]): The words of the sentence.
    subject (int), verb (int): Indices of the subject and the verb in `words`.
    number (str): The number of the subject, as in Universal Dependencies: "Sing", "Plur".
    other (Optional[str]): The form of the verb in the other number; None if it is the same form.
    attractors (Optional[int]): The number of nouns between subject and verb that have another
        number than the subject; None if unknown.
    spaces (Optional[List[bool]]): For each word, True if a space follows it; None if a space
        follows every word.
    RAISES (ValueError): If a value has the wrong type or contradicts another one.
    """

    words: List[str]
    subject: int
    verb: int
    number: str
    other: Optional[str]
    attractors: Optional[int] = None
    spaces: Optional[List[bool]] = None

    def __post_init__(self) -> None:
        self._check_texts()
        self._check_indices()
        if self.other == self.words[self.verb]:
            raise ValueError(
                f"'other' is '{self.other}', the same form as in the sentence. Write null if both "
                f"numbers have the same form."
            )
        if self.attractors is not None and not _is_count(self.attractors):
            raise ValueError(
                f"'attractors' must be a number of nouns, or null if it is unknown, got "
                f"{self.attractors!r}."
            )
        if self.spaces is not None and not self._has_valid_spaces():
            raise ValueError(
                f"'spaces' must have true or false for each of the {len(self.words)} words, got "
                f"{self.spaces!r}. Leave it out if a space follows every word."
            )

    def _check_texts(self) -> None:
        if not isinstance(self.words, list) or not self.words:
            raise ValueError(f"'words' must be a list of strings, got {self.words!r}.")
        others = {"number": self.number} | ({} if self.other is None else {"other": self.other})
        for name, text in [*(("words", word) for word in self.words), *others.items()]:
            if not checked_text(text, f"'{name}'"):
                raise ValueError(f"'{name}' has an empty string. Fill it in.")

    def _check_indices(self) -> None:
        n_words = len(self.words)
        for name, index in (("subject", self.subject), ("verb", self.verb)):
            if not _is_count(index) or index >= n_words:
                raise ValueError(
                    f"'{name}' must be the index of one of the {n_words} words, from 0 to "
                    f"{n_words - 1}, got {index!r}."
                )
        if self.subject == self.verb:
            raise ValueError("'subject' and 'verb' are the same word. Correct one of the indices.")

    def _has_valid_spaces(self) -> bool:
        return (
            isinstance(self.spaces, list)
            and len(self.spaces) == len(self.words)
            and all(isinstance(space, bool) for space in self.spaces)
        )

    @property
    def distance(self) -> int:
        """The number of words between subject and verb."""
        return abs(self.verb - self.subject) - 1

    def doc(self, vocab: Vocab, verb: Optional[str] = None) -> Doc:
        """Make a Doc of the sentence.

        vocab (Vocab): The vocabulary of the Doc.
        verb (Optional[str]): A form that replaces the verb; None for the form in the sentence.
        RETURNS (Doc): The sentence, without annotation.
        """
        words = list(self.words)
        words[self.verb] = verb or words[self.verb]
        return Doc(vocab, words=words, spaces=self.spaces)


class AgreementResult(NamedTuple):
    """The result of evaluating a pipeline on cases.

    cases (List[AgreementCase]): The evaluated cases.
    correct (List[bool]): For each case, True if the pipeline got it right.
    excluded (Mapping[str, int]): The number of cases that could not be evaluated, by reason for
        exclusion.
    """

    cases: List[AgreementCase]
    correct: List[bool]
    excluded: Mapping[str, int]

    @property
    def accuracy(self) -> float:
        """The share of cases that are correct."""
        return sum(self.correct) / len(self.correct)


class AgreementGroup(NamedTuple):
    """The cases with the same distance or the same number of attractors.

    value (int): The distance or the number of attractors.
    cases (int): The number of cases.
    correct (int): The number of correct cases.
    """

    value: int
    cases: int
    correct: int

    @property
    def accuracy(self) -> float:
        """The share of cases that are correct."""
        return self.correct / self.cases


# Data


def read_cases(path: Path) -> List[AgreementCase]:
    """Read cases from a file of JSON lines, which may be compressed.

    path (Path): The file, one object on each line with the fields of `AgreementCase`. `attractors`
        and `spaces` may be left out; other fields are ignored.
    RETURNS (List[AgreementCase]): The cases.
    RAISES (ValueError): If a line is not a valid case, or there is none.
    """
    cases = [_make_case(record, where) for where, record in read_json(path)]
    if not cases:
        raise ValueError(
            f'{path} is empty. Write one case on each line, as {{"words": ["The", "dogs", "bark"], '
            f'"subject": 1, "verb": 2, "number": "Plur", "other": "barks"}}.'
        )
    return cases


def _make_case(record: Any, where: str) -> AgreementCase:
    if not isinstance(record, dict):
        raise ValueError(f"{where} is not a JSON object, but {record!r}. Write {{...}}.")
    names = [field.name for field in fields(AgreementCase)]
    missing = [name for name in names[:5] if name not in record]
    if missing:
        raise ValueError(
            f"{where} lacks {', '.join(missing)}. Add what is missing; 'other' is null for a verb "
            f"that has only one form."
        )
    try:
        return AgreementCase(**{name: record[name] for name in names if name in record})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# Evaluation


def evaluate_language_model(
    pipe: RNNLanguageModel, cases: Iterable[AgreementCase]
) -> AgreementResult:
    """Evaluate a language model: a case is correct if the sentence up to its verb has a higher
    probability than the same words with the verb's other form.

    Words after the verb are not scored. With characters or pieces of words as units, the next word
    is scored too because it shows where the verb ends: the text that begins with "run" may continue
    with "s". Equal probabilities are an error. Verbs with a single form, with a form that has no
    unit in the model, or before their subjects are excluded.

    pipe (RNNLanguageModel): The language model.
    cases (Iterable[AgreementCase]): The cases.
    RETURNS (AgreementResult): The result.
    RAISES (ValueError): If the model only reads backwards, or all cases are excluded.
    """
    if is_backward(pipe.model):
        raise ValueError(
            f"The language model '{pipe.name}' only reads backwards and meets the verb before its "
            f'subject. Train one with direction "forward" or "both".'
        )
    units = pipe.shim.features
    kept: List[AgreementCase] = []
    excluded: Counter[str] = Counter()
    for case in cases:
        reason = _reason_to_exclude(pipe, case)
        if reason:
            excluded[reason] += 1
        else:
            kept.append(case)
    if not kept:
        reasons = ", ".join(f"{n} {reason}" for reason, n in excluded.items())
        raise ValueError(
            f"'{pipe.name}' can evaluate none of {excluded.total()} cases: {reasons}. It needs a "
            f"verb with two forms after its subject, both of them in the training texts."
        )
    pairs = ([case.doc(pipe.vocab), case.doc(pipe.vocab, case.other)] for case in kept)
    found = pipe.predict(doc for pair in pairs for doc in pair)
    n_scored = 1 if isinstance(units, Words) else 2
    ends = np.repeat([case.verb + n_scored for case in kept], 2)
    totals = [values[:end].sum() for values, end in zip(found, ends, strict=True)]
    correct = [bool(a > b) for a, b in zip(totals[::2], totals[1::2], strict=True)]
    return AgreementResult(kept, correct, excluded)


def _reason_to_exclude(pipe: RNNLanguageModel, case: AgreementCase) -> str:
    """The reason why a language model cannot evaluate a case, "" if it can."""
    if case.other is None:
        return "whose verb has one form"
    if case.verb < case.subject:
        return "whose verb is before its subject"
    units = pipe.shim.features
    forms = (case.words[case.verb], case.other)
    docs = [Doc(pipe.vocab, words=[form], spaces=[False]) for form in forms]
    if not all(units.strings[unit] for ids in units.encode(docs) for unit in ids):
        return "with a form of the verb that the model does not know"
    return ""


def evaluate_tagger(nlp: Language, cases: Iterable[AgreementCase]) -> AgreementResult:
    """Evaluate a tagger: a case is correct if the Number in the verb's `token.morph` is that of its
    subject.

    A verb whose form shows its number is easy: take verbs with one form for both, such as "slept".

    nlp (Language): A pipeline that sets `token.morph`.
    cases (Iterable[AgreementCase]): The cases.
    RETURNS (AgreementResult): The result.
    RAISES (ValueError): If the pipeline predicts no Number at all.
    """
    kept = list(cases)
    correct, predicts = [], False
    for case, doc in zip(kept, nlp.pipe(case.doc(nlp.vocab) for case in kept), strict=True):
        predicts = predicts or any(token.morph.get("Number", []) for token in doc)
        correct.append(doc[case.verb].morph.get("Number", []) == [case.number])
    if not predicts:
        raise ValueError(
            f"The pipeline predicts no Number in token.morph of {len(kept)} sentences. Its "
            f"components: {', '.join(nlp.pipe_names) or 'none'}. Use one with an rnn_lm, or with "
            f'an rnn_tagger whose targets include "morph".'
        )
    return AgreementResult(kept, correct, {})


# Report


def group_cases(result: AgreementResult, key: GroupBy) -> List[AgreementGroup]:
    """Group the evaluated cases by distance or by number of attractors.

    result (AgreementResult): The evaluated cases.
    key (str): "distance" or "attractors".
    RETURNS (List[AgreementGroup]): The groups by increasing value. Cases whose value is unknown are
        left out.
    """
    groups: Dict[int, List[bool]] = {}
    for case, correct in zip(result.cases, result.correct, strict=True):
        value = getattr(case, key)
        if value is not None:
            groups.setdefault(value, []).append(correct)
    return [AgreementGroup(value, len(g), sum(g)) for value, g in sorted(groups.items())]


def plot_agreement(path: Path, results: Mapping[str, Sequence[AgreementGroup]]) -> None:
    """Plot accuracy against the number of words between subject and verb.

    path (Path): The picture to write; its suffix determines the format.
    results (Mapping[str, Sequence[AgreementGroup]]): For each curve its name and its groups by
        distance.
    RAISES (ImportError): If matplotlib is not installed.
    """
    distances = sorted({group.value for groups in results.values() for group in groups})
    curves = {}
    for name, groups in results.items():
        accuracies = {group.value: group.accuracy for group in groups}
        curves[name] = np.array([accuracies.get(distance, np.nan) for distance in distances])
    panel = Panel("share of verbs with the number of their subject", curves)
    x = "words between subject and verb"
    save_curves(path, distances, [panel], title="Long-range agreement", x=x)
