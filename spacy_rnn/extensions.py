"""Extension attributes of Docs, Spans and Tokens.

Values of tokens are stored by their position in the text, so that they are found after tokens were
merged or split (`doc.retokenize`). The value of the Doc extension is a dict that spaCy can write as
JSON and as bytes:

* "starts": the index of the first character of each token, and the length of the text.
* "values": a list of the values of tokens, or a dict of such lists. Additional values at the end
  belong to the end of the text.
"""

import math
from bisect import bisect_left
from functools import partial
from itertools import pairwise
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from spacy.attrs import IDX
from spacy.tokens import Doc, Span, Token

#: computes the value of a merged token from those of its parts, None if it has none
Combine = Callable[[Sequence[Any]], Any]


def set_doc_extension(name: str) -> None:
    """Register the Doc extension ``doc._.NAME``, which stores a value, if it is missing.

    name (str): The name.
    """
    _set_extension(Doc, name)


def set_span_extension(name: str) -> None:
    """Register the Span extension ``span._.NAME``, which stores a value, if it is missing.

    name (str): The name.
    """
    _set_extension(Span, name)


def single_value(values: Sequence[Any]) -> Any:
    """Get the value of an unchanged token, None for merged tokens."""
    return values[0] if len(values) == 1 else None


def sum_values(values: Sequence[Any]) -> Optional[float]:
    """Sum the values of merged tokens, None if one is missing."""
    return sum(values) if values and None not in values else None


def set_token_extension(name: str, combine: Combine, n_ends: int = 0) -> None:
    """Register the extensions ``doc._.NAME``, a list with the value of each token or a dict of such
    lists, and ``token._.NAME``, the value of one token. The parts of a split token have None.

    name (str): The name.
    combine (Combine): Computes the value of a merged token.
    n_ends (int): The number of values for the end of the text, after those of the tokens.
    RAISES (ValueError): If another extension has the name.
    """
    _set_extension(Doc, name, partial(_of_doc, name, combine), partial(_store, name, n_ends))
    _set_extension(Token, name, partial(_of_token, name, combine))


def set_probability_extensions(attr: str, perplexity_attr: str) -> None:
    """Register the extensions for the log-probabilities of tokens, and for the perplexities of Docs
    and Spans.

    attr (str): The name of the log-probabilities of tokens and of the end of the text.
    perplexity_attr (str): The name of the perplexity, which is computed from them.
    RAISES (ValueError): If other extensions have these names.
    """
    set_token_extension(attr, sum_values, n_ends=1)
    _set_extension(Doc, perplexity_attr, partial(_perplexity_of_doc, attr))
    _set_extension(Span, perplexity_attr, partial(_perplexity_of_span, attr))


def values_as_read(doc: Doc, name: str) -> Any:
    """Get the stored values, for the tokens at the time when they were set.

    doc (Doc): The doc.
    name (str): The name of the extension.
    RETURNS (Any): A list of values, or a dict of such lists; None if they are not set.
    """
    found = _stored(doc, name)
    return doc._.get(name) if found is None else found["values"]


def perplexity(log_probability: Optional[float], n_tokens: int) -> Optional[float]:
    """Compute the perplexity of tokens.

    log_probability (Optional[float]): The sum of the log-probabilities of the tokens.
    n_tokens (int): The number of tokens.
    RETURNS (Optional[float]): The perplexity; None without log-probability or tokens.
    """
    if log_probability is None or not n_tokens:
        return None
    return math.exp(min(-log_probability / n_tokens, 700.0))


def _set_extension(
    owner: Any, name: str, getter: Optional[partial] = None, setter: Optional[partial] = None
) -> None:
    """Register an extension that is computed or, without a getter, stored. An existing extension
    that stores a value, such as set by users to read saved docs, is replaced by a computed one; any
    other existing extension must be the same.

    RAISES (ValueError): If another extension has the name.
    """
    known = owner.get_extension(name) if owner.has_extension(name) else None
    if known is None or (getter is not None and not any(known[1:])):
        kind = {"getter": getter, "setter": setter} if getter is not None else {"default": None}
        owner.set_extension(name, **kind, force=True)
        return
    _, method, *computed = known
    if method is not None or [*map(_parts, computed)] != [_parts(getter), _parts(setter)]:
        where = f"{owner.__name__.lower()}._.{name}"
        raise ValueError(
            f"The extension {where} already exists for other values: your code, or another "
            f"component in this process, has set {_described(known)}. Choose another name in the "
            f"setting with the value '{name}' or, if the old extension is not needed, call "
            f"{owner.__name__}.remove_extension({name!r}) first."
        )


def _parts(function: Any) -> Any:
    """The parts of a function that are equal for equal functions of extensions."""
    return (function.func, function.args) if isinstance(function, partial) else function


def _described(extension: Tuple[Any, ...]) -> str:
    """The functions of an extension, as text."""
    _, *functions = extension
    return " and ".join(
        f"{kind} = {_name(function)}"
        for kind, function in zip(("method", "getter", "setter"), functions, strict=True)
        if function is not None
    )


def _name(function: Any) -> str:
    """A function with its bound arguments, as text."""
    if isinstance(function, partial):
        args = ", ".join(_name(arg) if callable(arg) else repr(arg) for arg in function.args)
        return f"{_name(function.func)}({args})"
    return getattr(function, "__qualname__", repr(function))


def _key(name: str) -> Any:
    """The key in `doc.user_data` of the value of a Doc extension."""
    return ("._.", name, None, None)


def _stored(doc: Doc, name: str) -> Optional[Dict[str, Any]]:
    found = doc.user_data.get(_key(name))
    return found if isinstance(found, dict) and "starts" in found else None


def _store(name: str, n_ends: int, doc: Doc, values: Any) -> None:
    if values is None:
        doc.user_data[_key(name)] = None
        return
    for column in values.values() if isinstance(values, dict) else [values]:
        n_values = len(column) if isinstance(column, (list, tuple)) else None
        if n_values != len(doc) + n_ends:
            raise ValueError(
                f"doc._.{name} must be a list with a value for each of {len(doc)} tokens"
                f"{' and for the end' * n_ends}, but got "
                f"{'no list' if n_values is None else f'{n_values} values'}. If a component sets "
                f"it to other values, choose another name in the component's settings."
            )
    doc.user_data[_key(name)] = {"starts": _starts(doc), "values": values}


def _starts(doc: Doc) -> List[int]:
    return [*doc.to_array(IDX).tolist(), _end(doc[-1]) if len(doc) else 0]


def _end(token: Token) -> int:
    """The index of the first character of the next token."""
    return token.idx + len(token) + len(token.whitespace_)


def _of_doc(name: str, combine: Combine, doc: Doc) -> Any:
    found = _stored(doc, name)
    if found is None:
        return None
    before, now = found["starts"], _starts(doc)
    if now == list(before):
        return _of_each(found["values"], _as_lists)
    parts = [_between(before, start, end) for start, end in pairwise(now)]
    after = slice(len(before) - 1, None)
    return _of_each(
        found["values"],
        lambda values: _as_lists([*(combine(values[part]) for part in parts), *values[after]]),
    )


def _of_token(name: str, combine: Combine, token: Token) -> Any:
    found = _stored(token.doc, name)
    if found is None:
        return None
    part = _between(found["starts"], token.idx, _end(token))
    return _of_each(found["values"], lambda values: _as_lists([combine(values[part])])[0])


def _of_each(values: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to a list of values, or to each list of a dict."""
    if isinstance(values, dict):
        return {key: function(column) for key, column in values.items()}
    return function(values)


def _as_lists(values: Sequence[Any]) -> List[Any]:
    """Convert tuples back to lists: DocBin converts lists to tuples."""
    return [list(value) if isinstance(value, tuple) else value for value in values]


def _between(starts: Sequence[int], start: int, end: int) -> slice:
    """The tokens of a part of the text, empty if it begins or ends within a token."""
    first, last = bisect_left(starts, start), bisect_left(starts, end)
    if starts[first] != start or starts[last] != end:
        return slice(0)
    return slice(first, last)


def _perplexity_of_doc(attr: str, doc: Doc) -> Optional[float]:
    values = values_as_read(doc, attr)
    return None if values is None else perplexity(sum_values(values), len(doc) + 1)


def _perplexity_of_span(attr: str, span: Span) -> Optional[float]:
    found = _stored(span.doc, attr)
    if found is None or not len(span):
        return None
    part = _between(found["starts"], span[0].idx, _end(span[-1]))
    return perplexity(sum_values(found["values"][part]), len(span))
