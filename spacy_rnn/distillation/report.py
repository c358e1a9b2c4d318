"""The scores of a student and of its teachers."""

from typing import Any, Dict, List, Sequence

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Example

from ..features.soft_labels import TEXT_TARGET, soft_labels_of
from ..readers.label_map import LabelMaps, map_annotation, map_soft_labels
from .teachers import Teachers


def headline(scores: Dict[str, Any]) -> Dict[str, float]:
    """The numbers among scores, without those of the tokenizer and the speed."""
    return {
        name: value
        for name, value in scores.items()
        if isinstance(value, (int, float)) and not name.startswith("token_") and name != "speed"
    }


def score_student(nlp: Language, examples: Sequence[Example]) -> Dict[str, float]:
    """Score a student: against the answers of its teachers, which is their agreement, or against
    gold labels.

    nlp (Language): The student.
    examples (Sequence[Example]): The examples.
    RETURNS (Dict[str, float]): The scores of its components.
    """
    copies = [Example(eg.predicted.copy(), eg.reference) for eg in examples]
    return headline(nlp.evaluate(copies))


def score_teachers(
    teachers: Teachers, nlp: Language, examples: Sequence[Example], maps: LabelMaps
) -> Dict[str, float]:
    """Score teachers against gold labels, by the scores of the student's components. They tokenize
    the texts themselves, unless the examples have gold tokens.

    teachers (Teachers): The teachers.
    nlp (Language): The student.
    examples (Sequence[Example]): The gold examples.
    maps (LabelMaps): The student's names of the teachers' labels.
    RETURNS (Dict[str, float]): The scores.
    """
    texts: List[Any] = [eg.reference.text for eg in examples]
    if any(_has_gold_tokens(nlp, eg) for eg in examples):
        texts = [eg.predicted for eg in examples]
    answered = []
    for doc, eg in zip(teachers.answer(texts), examples, strict=True):
        map_soft_labels(doc, maps)
        map_annotation(doc, maps)
        soft = soft_labels_of(doc).get(TEXT_TARGET)
        if soft is not None:
            # As a classifier sets them: some scores depend on all probabilities.
            doc.cats = dict(zip(soft.labels, soft.probabilities.tolist(), strict=True))
        answered.append(Example(doc, eg.reference))
    return headline(Scorer(nlp).score(answered))


def _has_gold_tokens(nlp: Language, example: Example) -> bool:
    """Return True if the tokens of an example are not those of the pipeline's tokenizer."""
    doc = example.predicted
    if example.reference.has_unknown_spaces:
        return True
    return [token.text for token in nlp.make_doc(doc.text)] != [token.text for token in doc]
