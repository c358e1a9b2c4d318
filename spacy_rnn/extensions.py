"""Extensions of Docs, Spans and Tokens, shared by the components and the readers."""

import math
from functools import partial
from typing import Any, Callable, List, Optional

from spacy.tokens import Doc, Span, Token


def set_doc_extension(name: str) -> None:
    """Make ``doc._.NAME`` known, unless it is already."""
    if not Doc.has_extension(name):
        Doc.set_extension(name, default=None)


def set_probability_extensions(attr: str, perplexity_attr: str) -> None:
    """Make ``doc._.ATTR`` known, the log-probabilities of tokens and of the end, and what is
    computed from it: ``token._.ATTR``, and the perplexities of Docs and Spans."""
    set_doc_extension(attr)
    _set_getter(Token, attr, partial(_of_token, attr))
    _set_getter(Doc, perplexity_attr, partial(_of_doc, attr))
    _set_getter(Span, perplexity_attr, partial(_of_span, attr))


def _set_getter(owner: Any, name: str, getter: Callable[[Any], Any]) -> None:
    """Make an extension known that is computed, unless the name is taken."""
    if not owner.has_extension(name):
        owner.set_extension(name, getter=getter)


def _of_token(attr: str, token: Token) -> Optional[float]:
    values = token.doc._.get(attr)
    return None if values is None else values[token.i]


def _of_doc(attr: str, doc: Doc) -> Optional[float]:
    return perplexity(doc._.get(attr))


def _of_span(attr: str, span: Span) -> Optional[float]:
    values = span.doc._.get(attr)
    return None if values is None else perplexity(values[span.start : span.end])


def perplexity(log_probabilities: Optional[List[float]]) -> Optional[float]:
    """exp of the mean negative log-probability; None of none."""
    if not log_probabilities:
        return None
    return math.exp(min(-sum(log_probabilities) / len(log_probabilities), 700.0))
