"""Entities of a text that are given by the indices of their characters."""

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span
from spacy.util import filter_spans

#: the names of the first character of a span, the one after the last, and the label, in exports of
#: annotation tools
STARTS = ("start", "start_offset", "start_char", "begin")
ENDS = ("end", "end_offset", "end_char", "stop")
LABELS = ("label", "labels", "entity", "type", "tag", "class")
#: what a doc loses
MISALIGNED = "entities that begin or end within a token (the tokens are not annotated)"
OVERLAPPING = "entities that overlap a longer one"


def set_spans(doc: Doc, spans: Optional[Sequence[Any]], text: str) -> List[str]:
    """Set the entities of a doc. Tokens outside of all of them are annotated as outside, but tokens
    of an entity that does not begin and end with a token are not annotated. White space around an
    entity is not part of it.

    doc (Doc): The tokenized text.
    spans (Optional[Sequence[Any]]): A list [start, end, label] or a dict for each entity; None if
        the text is not annotated.
    text (str): The text.
    RETURNS (List[str]): The reason for each entity that is lost.
    RAISES (ValueError): If an entity is malformed or not in the text.
    """
    if spans is None:
        return []
    found: List[Span] = []
    missing: List[Span] = []
    for start, end, label in (_read_span(span, text) for span in spans):
        exact = doc.char_span(start, end, label)
        around = doc.char_span(start, end, label, alignment_mode="expand")
        if exact is not None:
            found.append(exact)
        elif around is not None:
            missing.append(around)
    kept = filter_spans(found)
    covered = {token.i for span in kept for token in span}
    unknown = [doc[token.i : token.i + 1] for span in missing for token in span]
    unknown = [span for span in filter_spans(unknown) if span.start not in covered]
    doc.set_ents(kept, missing=unknown, default="outside")
    return [MISALIGNED] * len(missing) + [OVERLAPPING] * (len(found) - len(kept))


def _read_span(span: Any, text: str) -> Tuple[int, int, str]:
    """The start, the end and the label of a span, without white space at its ends."""
    if isinstance(span, Mapping):
        values: List[Any] = [_first(span, names) for names in (STARTS, ENDS, LABELS)]
    else:
        values = list(span) if isinstance(span, (list, tuple)) else []
    if len(values) != 3:
        raise _malformed(span)
    start, end, label = values
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if not (type(start) is type(end) is int and isinstance(label, str) and label):
        raise _malformed(span)
    if not 0 <= start < end <= len(text):
        raise ValueError(
            f"the entity {span!r} is not in the text, which has {len(text)} characters. Count "
            f"characters from 0; the end is the character after the last one."
        )
    inside = text[start:end]
    if not inside.strip():
        raise ValueError(f"the entity {span!r} is only white space. Remove it.")
    start += len(inside) - len(inside.lstrip())
    return start, start + len(inside.strip()), label


def _first(span: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((span[name] for name in names if name in span), None)


def _malformed(span: Any) -> ValueError:
    return ValueError(
        f"{span!r} is not an entity. Write [start, end, label], or an object with these names: the "
        f"first character, counted from 0, the one after the last, and the name of the label."
    )
