"""Extensions of Docs, Spans and Tokens, shared by the components and the readers.

Values of tokens are stored by their place in the text, so that they are found after tokens were
merged or split (`doc.retokenize`). What is stored under the name of a Doc extension is a dict that
spaCy can write as JSON and as bytes:

* "starts": the character at which each token begins, and the number of characters of the text;
* "values": a list of the tokens' values, or a dict of such lists. More than there are tokens belong
  to the end of the text.
"""

import math
from bisect import bisect_left
from functools import partial
from itertools import pairwise
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from spacy.attrs import IDX
from spacy.tokens import Doc, Span, Token

#: the value of a token from those of the tokens that were merged into it, None if it has none
Combine = Callable[[Sequence[Any]], Any]


def set_doc_extension(name: str) -> None:
    """Make ``doc._.NAME`` known, which stores a value."""
    _set_extension(Doc, name)


def set_span_extension(name: str) -> None:
    """Make ``span._.NAME`` known, which stores a value."""
    _set_extension(Span, name)


def only(values: Sequence[Any]) -> Any:
    """The value of a token that is still what it was; nothing is known of merged tokens."""
    return values[0] if len(values) == 1 else None


def total(values: Sequence[Any]) -> Optional[float]:
    """The sum of the values of merged tokens."""
    return sum(values) if values and None not in values else None


def set_token_extension(name: str, combine: Combine, n_ends: int = 0) -> None:
    """Make ``doc._.NAME`` known, a list with the value of each token, or a dict of such lists, and
    ``token._.NAME``, the value of one token. The parts of a token that was split have None.

    combine (Combine): Makes the value of a merged token.
    n_ends (int): How many values of the end of the text stand after those of the tokens.
    """
    _set_extension(Doc, name, partial(_of_doc, name, combine), partial(_store, name, n_ends))
    _set_extension(Token, name, partial(_of_token, name, combine))


def set_probability_extensions(attr: str, perplexity_attr: str) -> None:
    """Make ``doc._.ATTR`` and ``token._.ATTR`` known, the log-probabilities of tokens and of the
    end, and the perplexities of Docs and Spans that are computed from them."""
    set_token_extension(attr, total, n_ends=1)
    _set_extension(Doc, perplexity_attr, partial(_perplexity_of_doc, attr))
    _set_extension(Span, perplexity_attr, partial(_perplexity_of_span, attr))


def values_as_read(doc: Doc, name: str) -> Any:
    """The values of the tokens that there were when they were set; None without any."""
    found = _stored(doc, name)
    return doc._.get(name) if found is None else found["values"]


def perplexity(log_probability: Optional[float], n_tokens: int) -> Optional[float]:
    """The perplexity of tokens that have this log-probability together; None of none."""
    if log_probability is None or not n_tokens:
        return None
    return math.exp(min(-log_probability / n_tokens, 700.0))


def _set_extension(
    owner: Any, name: str, getter: Optional[partial] = None, setter: Optional[partial] = None
) -> None:
    """Make an extension known that is computed or, without a getter, stored. One that only stores a
    value, as users set to read stored docs, is replaced by one that is computed; any other that has
    the name already has to be the same.

    RAISES (ValueError): If the name stands for something else.
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
            f"The extension {where} is to hold other values than those that it was set for: your "
            f"code, or another component in this process, has set {_described(known)}. Choose "
            f"another name in the setting that has the value '{name}' or, if nothing needs the old "
            f"extension any longer, call {owner.__name__}.remove_extension({name!r}) first."
        )


def _parts(function: Any) -> Any:
    """What makes two functions of extensions the same."""
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
    """A function with the arguments that are bound to it, as text."""
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
                f"doc._.{name} takes a value for each of {len(doc)} tokens"
                f"{' and for the end' * n_ends}, but got "
                f"{'no list of' if n_values is None else n_values} values. If a component writes "
                f"other values to it, choose another name in the component's settings."
            )
    doc.user_data[_key(name)] = {"starts": _starts(doc), "values": values}


def _starts(doc: Doc) -> List[int]:
    return [*doc.to_array(IDX).tolist(), _end(doc[-1]) if len(doc) else 0]


def _end(token: Token) -> int:
    """Where the next token begins."""
    return token.idx + len(token) + len(token.whitespace_)


def _of_doc(name: str, combine: Combine, doc: Doc) -> Any:
    found = _stored(doc, name)
    if found is None:
        return None
    before, now = found["starts"], _starts(doc)
    if now == list(before):
        return _of_each(found["values"], _as_lists)
    places = [_between(before, start, end) for start, end in pairwise(now)]
    after = slice(len(before) - 1, None)
    return _of_each(
        found["values"],
        lambda values: _as_lists([*(combine(values[p]) for p in places), *values[after]]),
    )


def _of_token(name: str, combine: Combine, token: Token) -> Any:
    found = _stored(token.doc, name)
    if found is None:
        return None
    place = _between(found["starts"], token.idx, _end(token))
    return _of_each(found["values"], lambda values: _as_lists([combine(values[place])])[0])


def _of_each(values: Any, function: Callable[[Any], Any]) -> Any:
    """What a function makes of a list of values, or of each list of a dict."""
    if isinstance(values, dict):
        return {key: function(column) for key, column in values.items()}
    return function(values)


def _as_lists(values: Sequence[Any]) -> List[Any]:
    """Lists again where a DocBin made tuples of them."""
    return [list(value) if isinstance(value, tuple) else value for value in values]


def _between(starts: Sequence[int], start: int, end: int) -> slice:
    """The tokens that make up a part of the text; none if it begins or ends within one."""
    first, last = bisect_left(starts, start), bisect_left(starts, end)
    if starts[first] != start or starts[last] != end:
        return slice(0)
    return slice(first, last)


def _perplexity_of_doc(attr: str, doc: Doc) -> Optional[float]:
    values = values_as_read(doc, attr)
    return None if values is None else perplexity(total(values), len(doc) + 1)


def _perplexity_of_span(attr: str, span: Span) -> Optional[float]:
    found = _stored(span.doc, attr)
    if found is None or not len(span):
        return None
    place = _between(found["starts"], span[0].idx, _end(span[-1]))
    return perplexity(total(found["values"][place]), len(span))
