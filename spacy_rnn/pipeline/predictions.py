"""Predictions of a pipeline as lines of text files."""

import json
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Sequence

from spacy.language import Language
from spacy.tokens import Doc, Span, Token

#: the setting with the name of the Doc extension of a component's predictions, by factory
EXTENSION_SETTINGS = {
    "rnn_translator": "attr",
    "rnn_regressor": "attr",
    "rnn_lm": "perplexity_attr",
}
#: for each token attribute the name of its predictions, and how they are read
TOKEN_VALUES: Dict[str, Callable[[Token], str]] = {
    "tag": lambda token: token.tag_,
    "pos": lambda token: token.pos_,
    "morph": lambda token: str(token.morph),
}
TOKEN_NAMES = {"tag": "tags", "pos": "pos", "morph": "morph"}
#: factories of text classifiers with exclusive classes
EXCLUSIVE = ("rnn_textcat", "textcat")
#: between several labels in a column
SEPARATOR = "|"


@dataclass(frozen=True)
class Prediction:
    """Predictions of one kind.

    name (str): The key in JSON.
    value (Callable[[Doc], Any]): Gets them from a document, as JSON.
    form (Any): The type of that value: str, int or float; a list with the form of its items; or a
        dict with the form of each key.
    columns (Sequence[str]): The names of their columns in a table; none if they do not fit in one.
    cells (Callable[[Doc], Sequence[Any]]): Gets the values of these columns from a document.
    is_text (bool): True for one text for each document.
    """

    name: str
    value: Callable[[Doc], Any]
    form: Any
    columns: Sequence[str] = ()
    cells: Callable[[Doc], Sequence[Any]] = lambda doc: ()
    is_text: bool = False


def predictions_of(nlp: Language) -> List[Prediction]:
    """Find out what the components of a pipeline predict.

    nlp (Language): The pipeline.
    RETURNS (List[Prediction]): The predictions, in the order of the components; before them the
        tokens, if some predictions are about tokens.
    """
    found: List[Prediction] = []
    for name in nlp.pipe_names:
        meta = nlp.get_pipe_meta(name)
        pipe: Any = nlp.get_pipe(name)
        cfg = getattr(pipe, "cfg", {})
        if meta.factory in EXTENSION_SETTINGS:
            attr = cfg[EXTENSION_SETTINGS[meta.factory]]
            labels = pipe.labels if meta.factory == "rnn_regressor" else ()
            found.append(_of_extension(attr, labels, meta.factory == "rnn_translator"))
            continue
        targets = [target for target in TOKEN_VALUES if f"token.{target}" in meta.assigns]
        if meta.factory == "rnn_tagger":
            targets = list(cfg["targets"])
        found += map(_of_tokens, targets)
        if {"doc.sents", "token.is_sent_start"} & {*meta.assigns}:
            found.append(Prediction("sents", _sentences, [{"start": int, "end": int}]))
        if "doc.ents" in meta.assigns:
            found.append(_of_entities(cfg.get("confidence_attr")))
        if "doc.cats" in meta.assigns:
            found.append(_of_categories(pipe, meta.factory in EXCLUSIVE))
    if any(prediction.name in TOKEN_NAMES.values() for prediction in found):
        found.insert(0, Prediction("tokens", lambda doc: [token.text for token in doc], [str]))
    return found


def forms_of(predictions: Sequence[Prediction]) -> Dict[str, Any]:
    """Get the form of the values in JSON.

    predictions (Sequence[Prediction]): The predictions.
    RETURNS (Dict[str, Any]): The form of each key. If several components predict probabilities of
        labels, they share a key.
    """
    forms: Dict[str, Any] = {}
    for name, form in ((prediction.name, prediction.form) for prediction in predictions):
        forms[name] = {**forms.get(name, {}), **form} if isinstance(form, dict) else form
    return forms


def as_json(docs: Iterable[Doc], predictions: Sequence[Prediction]) -> Iterator[str]:
    """Write documents as JSON objects, with the text and the predictions.

    docs (Iterable[Doc]): The documents.
    predictions (Sequence[Prediction]): Their predictions.
    YIELDS (str): A line for each document.
    """
    for doc in docs:
        record: Dict[str, Any] = {"text": doc.text}
        record.update((prediction.name, prediction.value(doc)) for prediction in predictions)
        yield json.dumps(record, ensure_ascii=False)


def as_table(docs: Iterable[Doc], predictions: Sequence[Prediction]) -> Iterator[str]:
    """Write documents as the rows of a table separated by TABs, with the text and the predictions
    that have columns.

    docs (Iterable[Doc]): The documents.
    predictions (Sequence[Prediction]): Their predictions.
    YIELDS (str): The header, and a line for each document.
    RAISES (ValueError): If there are no columns, or two have the same name.
    """
    header = ["text", *(name for prediction in predictions for name in prediction.columns)]
    if len(header) == 1:
        raise _unsuited(".tsv", "labels of texts, numbers or translations", predictions)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"Several columns have the name {twice[0]!r}. Write a .jsonl file.")
    yield "\t".join(map(one_line, header))
    for doc in docs:
        cells = [cell for prediction in predictions for cell in prediction.cells(doc)]
        yield "\t".join(map(one_line, [doc.text, *cells]))


def as_text(docs: Iterable[Doc], predictions: Sequence[Prediction]) -> Iterator[str]:
    """Write the translation of each document.

    docs (Iterable[Doc]): The documents.
    predictions (Sequence[Prediction]): Their predictions.
    YIELDS (str): A line for each document.
    RAISES (ValueError): If the pipeline does not have exactly one translator.
    """
    texts = [prediction for prediction in predictions if prediction.is_text]
    if len(texts) != 1:
        raise _unsuited(".txt", "translations of one translator", predictions)
    for doc in docs:
        yield one_line(texts[0].value(doc))


def _unsuited(ending: str, contents: str, predictions: Sequence[Prediction]) -> ValueError:
    names = ", ".join(prediction.name for prediction in predictions) or "nothing"
    return ValueError(
        f"A {ending} file holds {contents}, but the pipeline predicts {names}. Write a .jsonl "
        f"file"
        + (", or a .tsv file" if any(prediction.columns for prediction in predictions) else "")
        + "."
    )


def one_line(value: Any) -> str:
    """Write a value as text without TABs and line ends.

    value (Any): The value; None is written as "".
    RETURNS (str): The text.
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else re.sub(r"[\t\r\n]+", " ", str(value))


def _of_extension(attr: str, labels: Sequence[str], is_text: bool) -> Prediction:
    """The value of a Doc extension; with labels, a dict of numbers."""

    def cells(doc: Doc) -> Sequence[Any]:
        value = doc._.get(attr)
        return [value.get(label) for label in labels] if labels else [value]

    form = dict.fromkeys(labels, float) if labels else str if is_text else float
    return Prediction(attr, lambda doc: doc._.get(attr), form, labels or [attr], cells, is_text)


def _of_tokens(target: str) -> Prediction:
    value = TOKEN_VALUES[target]
    return Prediction(TOKEN_NAMES[target], lambda doc: [value(token) for token in doc], [str])


def _sentences(doc: Doc) -> List[Dict[str, int]]:
    if not doc.has_annotation("SENT_START"):
        return []
    return [{"start": sent.start_char, "end": sent.end_char} for sent in doc.sents]


def _of_entities(confidence: Any) -> Prediction:
    def of_span(span: Span) -> Dict[str, Any]:
        found = {
            "start": span.start_char,
            "end": span.end_char,
            "label": span.label_,
            "text": span.text,
        }
        return found if confidence is None else {**found, "confidence": span._.get(confidence)}

    form: Dict[str, Any] = {"start": int, "end": int, "label": str, "text": str}
    if confidence is not None:
        form["confidence"] = float
    return Prediction("ents", lambda doc: [of_span(span) for span in doc.ents], [form])


def _of_categories(pipe: Any, exclusive: bool) -> Prediction:
    def probabilities(doc: Doc) -> Mapping[str, float]:
        return {label: doc.cats[label] for label in pipe.labels}

    def best(doc: Doc) -> Sequence[Any]:
        found = probabilities(doc)
        label = max(found, key=lambda each: found[each])
        return [label, found[label]]

    def likely(doc: Doc) -> Sequence[Any]:
        threshold = pipe.cfg["threshold"]
        return [SEPARATOR.join(x for x, p in probabilities(doc).items() if p >= threshold)]

    form = dict.fromkeys(pipe.labels, float)
    if exclusive:
        return Prediction("cats", lambda doc: dict(doc.cats), form, ("label", "probability"), best)
    return Prediction("cats", lambda doc: dict(doc.cats), form, ("labels",), likely)


#: the function that writes documents as lines, by the ending of a file
LINES = {".jsonl": as_json, ".tsv": as_table, ".txt": as_text}
