"""Whether verbs agree with subjects that stand far away (Linzen, Dupoux and Goldberg 2016)."""

from collections import Counter
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

#: what cases are grouped by
Key = Literal["distance", "attractors"]


class Case(NamedTuple):
    """A sentence with a subject and its verb.

    words: of the sentence.
    subject, verb: their places among them, from 0.
    number: of the subject, as in Universal Dependencies.
    other: the verb's form of the other number; None where the two are the same.
    attractors: nouns of another number between the two; None where nobody counted them.
    spaces: whether a blank follows each word; None for one after each.
    """

    words: List[str]
    subject: int
    verb: int
    number: str
    other: Optional[str]
    attractors: Optional[int] = None
    spaces: Optional[List[bool]] = None

    @property
    def distance(self) -> int:
        """Words between the two."""
        return abs(self.verb - self.subject) - 1

    def doc(self, vocab: Vocab, verb: Optional[str] = None) -> Doc:
        """The sentence, with another verb if one is given."""
        words = list(self.words)
        words[self.verb] = verb or words[self.verb]
        return Doc(vocab, words=words, spaces=self.spaces)


class Judged(NamedTuple):
    """What a pipeline made of cases.

    cases: those that tell something of it.
    right: for each of them whether it was right.
    left_out: the number of the others, by what is the matter with them.
    """

    cases: List[Case]
    right: List[bool]
    left_out: Mapping[str, int]

    @property
    def accuracy(self) -> float:
        return sum(self.right) / len(self.right)


class Summary(NamedTuple):
    """All cases with one distance or number of attractors."""

    value: int
    cases: int
    right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.cases


# Data


def read_cases(path: Path) -> List[Case]:
    """The cases of a file of JSON lines, which may be compressed: objects with the names of `Case`,
    of which `attractors` and `spaces` may be left out. Other names are ignored.

    RAISES (ValueError): If a line is no case, or there is none.
    """
    cases = [_case(record, where) for where, record in read_json(path)]
    if not cases:
        raise ValueError(
            f'{path} is empty. Write a case a line, as {{"words": ["The", "dogs", "bark"], '
            f'"subject": 1, "verb": 2, "number": "Plur", "other": "barks"}}.'
        )
    return cases


def _case(record: Any, where: str) -> Case:
    if not isinstance(record, dict):
        raise ValueError(f"{where} is no JSON object, but {record!r}. Write {{...}}.")
    missing = [name for name in Case._fields[:5] if name not in record]
    if missing:
        raise ValueError(
            f"{where} lacks {', '.join(missing)}. Add what is missing; null is for the other form "
            f"of a verb that has only one."
        )
    case = Case(**{name: record[name] for name in Case._fields if name in record})
    if not isinstance(case.words, list) or not case.words:
        raise ValueError(f"{where}: 'words' must be a list of strings, not {case.words!r}.")
    for word in (*case.words, case.number, "other" if case.other is None else case.other):
        if not checked_text(word, where):
            raise ValueError(f"{where}: a word, the number or the other form is empty. Fill it in.")
    for name, place in (("subject", case.subject), ("verb", case.verb)):
        if not _is_count(place) or place >= len(case.words):
            raise ValueError(
                f"{where}: '{name}' must be a place among {len(case.words)} words, from 0 to "
                f"{len(case.words) - 1}, not {place!r}."
            )
    if case.subject == case.verb:
        raise ValueError(f"{where}: subject and verb are the same word. Correct one of the places.")
    if case.other == case.words[case.verb]:
        raise ValueError(
            f"{where}: the other form of the verb is '{case.other}', as the one in the sentence. "
            f"Write null where both numbers have one form."
        )
    if case.attractors is not None and not _is_count(case.attractors):
        raise ValueError(
            f"{where}: 'attractors' must be a number of nouns, or null where it is not known, not "
            f"{case.attractors!r}."
        )
    spaces = case.spaces
    if spaces is not None and not (
        isinstance(spaces, list)
        and len(spaces) == len(case.words)
        and all(isinstance(space, bool) for space in spaces)
    ):
        raise ValueError(
            f"{where}: 'spaces' must have true or false for each of the {len(case.words)} words, "
            f"not {spaces!r}. Leave it out for a blank after each."
        )
    return case


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# Judging


def judge_language_model(pipe: RNNLanguageModel, cases: Iterable[Case]) -> Judged:
    """Whether a language model gives the sentence up to the verb a higher probability than the same
    with the verb's other form.

    What follows the verb does not count; with characters or pieces of words as units the next word
    does, as it tells that the verb ends: the text that "run" begins may go on with "s". Equal
    probabilities are wrong. Left out are verbs with one form, with a form that the model has no
    units for, or before their subjects.

    RAISES (ValueError): If the model only reads backwards, or all cases are left out.
    """
    if is_backward(pipe.model):
        raise ValueError(
            f"The language model '{pipe.name}' only reads backwards and meets the verb before its "
            f'subject. Train one with direction "forward" or "both".'
        )
    units = pipe.shim.features
    strings = units.strings
    kept: List[Case] = []
    left_out: Counter[str] = Counter()
    for case in cases:
        forms = [case.words[case.verb], case.other or ""]
        alone = [Doc(pipe.vocab, words=[form], spaces=[False]) for form in forms if form]
        if case.other is None:
            left_out["whose verb has one form"] += 1
        elif case.verb < case.subject:
            left_out["whose verb is before its subject"] += 1
        elif not all(strings[unit] for ids in units.encode(alone) for unit in ids):
            left_out["with a form of the verb that the model does not know"] += 1
        else:
            kept.append(case)
    if not kept:
        reasons = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
        raise ValueError(
            f"Of {left_out.total()} cases '{pipe.name}' can judge none: {reasons}. It needs a verb "
            f"of two forms behind its subject, both forms among its training texts."
        )
    pairs = ([case.doc(pipe.vocab), case.doc(pipe.vocab, case.other)] for case in kept)
    found = pipe.predict(doc for pair in pairs for doc in pair)
    after = 1 if isinstance(units, Words) else 2
    ends = np.repeat([case.verb + after for case in kept], 2)
    totals = [values[:end].sum() for values, end in zip(found, ends, strict=True)]
    right = [bool(a > b) for a, b in zip(totals[::2], totals[1::2], strict=True)]
    return Judged(kept, right, left_out)


def judge_tagger(nlp: Language, cases: Iterable[Case]) -> Judged:
    """Whether a pipeline's `token.morph` gives the verb the Number of its subject.

    A verb whose form shows its number is easy: take those that have one form for both, as "slept".

    RAISES (ValueError): If the pipeline predicts no Number at all.
    """
    kept = list(cases)
    right, predicts = [], False
    for case, doc in zip(kept, nlp.pipe(case.doc(nlp.vocab) for case in kept), strict=True):
        predicts = predicts or any(token.morph.get("Number", []) for token in doc)
        right.append(doc[case.verb].morph.get("Number", []) == [case.number])
    if not predicts:
        raise ValueError(
            f"The pipeline predicts no Number in token.morph of {len(kept)} sentences. Its "
            f"components: {', '.join(nlp.pipe_names) or 'none'}. Take one with an rnn_lm, or with "
            f'an rnn_tagger whose targets include "morph".'
        )
    return Judged(kept, right, {})


# Report


def summarize(judged: Judged, key: Key) -> List[Summary]:
    """Accuracy by distance or attractors, rising, of the cases in which it is known."""
    groups: Dict[int, List[bool]] = {}
    for case, right in zip(judged.cases, judged.right, strict=True):
        value = getattr(case, key)
        if value is not None:
            groups.setdefault(value, []).append(right)
    return [Summary(value, len(group), sum(group)) for value, group in sorted(groups.items())]


def plot(path: Path, found: Mapping[str, Sequence[Summary]]) -> None:
    """Draw accuracies against the words between subject and verb, a curve for each name, as a
    picture of the kind that the suffix names.

    RAISES (ImportError): If matplotlib is not installed.
    """
    distances = sorted({each.value for summaries in found.values() for each in summaries})
    curves = {}
    for name, summaries in found.items():
        accuracies = {each.value: each.accuracy for each in summaries}
        curves[name] = np.array([accuracies.get(distance, np.nan) for distance in distances])
    panel = Panel("share of verbs with the number of their subject", curves)
    save_curves(path, distances, [panel], x="words between subject and verb")
