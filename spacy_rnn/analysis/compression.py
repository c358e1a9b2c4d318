"""Pipelines that predict by ONNX graphs, compared with those that they are made of."""

import time
from functools import singledispatch
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from ..pipeline.base import RNNPipe
from ..pipeline.language_model import RNNLanguageModel
from ..pipeline.ner import RNNEntityRecognizer
from ..pipeline.regressor import RNNRegressor
from ..pipeline.tagger import ATTRIBUTES, RNNTagger
from ..pipeline.textcat import RNNTextCategorizer
from ..pipeline.textcat_multilabel import RNNMultiLabelTextCategorizer
from ..pipeline.translator import RNNTranslator

#: documents on which the ranges of numbers are measured, and probabilities of tokens compared
N_TYPICAL = 500
#: documents that are read one at a time to measure how long that takes, and those that warm up
N_SINGLE, WARM_UP = 200, 20


class Compression(NamedTuple):
    """The result of compressing a component.

    graphs (int): The size of its graphs, in bytes; 0 if it stays as it is.
    weights (int): The size of what they replace.
    reason (str): The reason why it stays as it is.
    """

    graphs: int = 0
    weights: int = 0
    reason: str = ""


class Speed(NamedTuple):
    """The speed of a pipeline without its tokenizer.

    words (float): Words per second of `nlp.pipe`.
    milliseconds (float): The median time of a single text.
    """

    words: float
    milliseconds: float


def compress(nlp: Language, docs: Sequence[Doc], int8: bool) -> Dict[str, Compression]:
    """Write the graphs of all components that can have them, and set their engine to "onnx" in the
    config, for the pipeline when it is saved and loaded again.

    nlp (Language): The pipeline.
    docs (Sequence[Doc]): Typical documents, as the pipeline annotates them.
    int8 (bool): Compute with 8-bit integers, and store tables so.
    RETURNS (Dict[str, Compression]): The result for each component.
    """
    found = {}
    for name, pipe in nlp.pipeline:
        found[name] = _compress(pipe, docs[:N_TYPICAL], int8)
        if found[name].graphs:
            nlp.get_pipe_config(name)["engine"] = "onnx"
    return found


def _compress(pipe: Any, docs: Sequence[Doc], int8: bool) -> Compression:
    if not isinstance(pipe, RNNPipe):
        return Compression(reason="It is not a component of spacy-rnn.")
    if pipe.shim.engine.name == "onnx":
        return Compression(reason="It is compressed already.")
    try:
        pipe.shim.engine.begin_change()
        weights = len(pipe.shim.to_bytes())
        pipe.write_graphs(docs, int8)
    except (TypeError, ValueError) as error:
        return Compression(reason=str(error))
    return Compression(sum(map(len, pipe.shim.engine.graphs.values())), weights)


def run(nlp: Language, docs: Sequence[Doc]) -> Tuple[List[Doc], Speed]:
    """Annotate documents and measure the speed.

    nlp (Language): The pipeline.
    docs (Sequence[Doc]): The documents, of which only words are read.
    RETURNS (Tuple[List[Doc], Speed]): The annotated copies, and the speed.
    """
    for doc in _copies(nlp.vocab, docs[:WARM_UP]):
        nlp(doc)
    copies = _copies(nlp.vocab, docs)
    start = time.perf_counter()
    annotated = list(nlp.pipe(copies))
    words = sum(map(len, docs)) / (time.perf_counter() - start)
    times = []
    for doc in _copies(nlp.vocab, docs[:N_SINGLE]):
        start = time.perf_counter()
        nlp(doc)
        times.append(1000 * (time.perf_counter() - start))
    return annotated, Speed(words, float(np.median(times)))


def _copies(vocab: Vocab, docs: Sequence[Doc]) -> List[Doc]:
    return [
        Doc(vocab, [token.text for token in doc], [bool(token.whitespace_) for token in doc])
        for doc in docs
    ]


def agreement(pipe: Any, before: Sequence[Doc], after: Sequence[Doc]) -> Optional[float]:
    """Compare a component's predictions by torch and by graphs.

    pipe (RNNPipe): The component.
    before (Sequence[Doc]), after (Sequence[Doc]): The documents, annotated by both.
    RETURNS (Optional[float]): The share of equal labels or translations, the coefficient of
        determination (R²) of numbers, or the smaller perplexity of a language model over the
        larger; None if there are no predictions.
    """
    first, second = (
        np.concatenate([decisions(pipe, doc) for doc in docs]) for docs in (before, after)
    )
    if not len(first):
        return None
    if isinstance(pipe, RNNLanguageModel):
        return float(np.exp(-abs(first.mean() - second.mean())))
    if not isinstance(pipe, RNNRegressor):
        return float((first == second).mean())
    residual, total = ((x - y) @ (x - y) for x, y in ((first, second), (first, first.mean())))
    return 1.0 - float(residual / total) if total else float(residual == 0)


@singledispatch
def decisions(pipe: Any, doc: Doc) -> np.ndarray:
    """The predictions that are set on a document, as an array."""
    raise TypeError(f"There are no predictions of {type(pipe).__name__} to compare.")


@decisions.register
def _(pipe: RNNTagger, doc: Doc) -> np.ndarray:
    return doc.to_array([ATTRIBUTES[target] for target in pipe.cfg["targets"]]).reshape(-1)


@decisions.register
def _(pipe: RNNEntityRecognizer, doc: Doc) -> np.ndarray:
    return np.array([hash((token.ent_iob, token.ent_type)) for token in doc], dtype="int64")


@decisions.register
def _(pipe: RNNTextCategorizer, doc: Doc) -> np.ndarray:
    return np.argmax(_cats(pipe, doc), keepdims=True)


@decisions.register
def _(pipe: RNNMultiLabelTextCategorizer, doc: Doc) -> np.ndarray:
    return _cats(pipe, doc) >= pipe.cfg["threshold"]


@decisions.register
def _(pipe: RNNRegressor, doc: Doc) -> np.ndarray:
    values = doc._.get(pipe.cfg["attr"])
    return np.array([values[label] for label in pipe.labels])


@decisions.register
def _(pipe: RNNTranslator, doc: Doc) -> np.ndarray:
    return np.array([doc._.get(pipe.cfg["attr"])], dtype=object)


@decisions.register
def _(pipe: RNNLanguageModel, doc: Doc) -> np.ndarray:
    return np.array(doc._.get(pipe.cfg["attr"]))


def largest_difference(
    pipes: Tuple[Any, Any], before: Sequence[Doc], after: Sequence[Doc]
) -> Optional[float]:
    """Compare the numbers from which a component's predictions follow, by torch and by graphs.

    pipes (Tuple[RNNPipe, RNNPipe]): The component in both pipelines.
    before (Sequence[Doc]), after (Sequence[Doc]): The documents, annotated by both.
    RETURNS (Optional[float]): The largest absolute difference of the probabilities of labels, of
        the numbers of a regressor, or of the log-probabilities of a language model; None for a
        translator, whose searches differ, and if there are no predictions.
    """
    pairs = zip(numbers(pipes[0], before), numbers(pipes[1], after), strict=True)
    return max((float(np.abs(x - y).max()) for x, y in pairs if x.size), default=None)


@singledispatch
def numbers(pipe: Any, docs: Sequence[Doc]) -> List[np.ndarray]:
    """The numbers from which the predictions for documents follow, as arrays."""
    return [decisions(pipe, doc) for doc in docs]


@numbers.register
def _(pipe: RNNTranslator, docs: Sequence[Doc]) -> List[np.ndarray]:
    return []


@numbers.register
def _(pipe: RNNTagger, docs: Sequence[Doc]) -> List[np.ndarray]:
    found = pipe.predict_probabilities(_copies(pipe.vocab, docs[:N_TYPICAL]))
    return [probabilities for of_doc in found for probabilities in of_doc.values()]


@numbers.register
def _(pipe: RNNEntityRecognizer, docs: Sequence[Doc]) -> List[np.ndarray]:
    return pipe.predict_probabilities(_copies(pipe.vocab, docs[:N_TYPICAL]))


@numbers.register(RNNTextCategorizer)
@numbers.register(RNNMultiLabelTextCategorizer)
def _(pipe: Any, docs: Sequence[Doc]) -> List[np.ndarray]:
    return [_cats(pipe, doc) for doc in docs]


def bleu(pipe: RNNTranslator, gold: Sequence[Doc], translated: Sequence[Doc]) -> Optional[float]:
    """Score translations.

    pipe (RNNTranslator): The component.
    gold (Sequence[Doc]): The documents with their gold translations, if they have some.
    translated (Sequence[Doc]): The same, translated by the component.
    RETURNS (Optional[float]): BLEU from 0 to 1; None without gold translations or a scorer.
    """
    if pipe.scorer is None or not any(doc._.get(pipe.cfg["attr"]) for doc in gold):
        return None
    examples = [Example(*pair) for pair in zip(translated, gold, strict=True)]
    score: Optional[float] = pipe.scorer(examples, **pipe.cfg).get("bleu")
    return score


def _cats(pipe: Any, doc: Doc) -> np.ndarray:
    return np.array([doc.cats[label] for label in pipe.labels])
