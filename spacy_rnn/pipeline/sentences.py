"""The sentences of documents, as a translator reads them."""

import logging
from itertools import pairwise
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.attrs import SENT_START
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc, Span

logger = logging.getLogger("spacy_rnn")

#: splits documents where they have no sentence starts
SENTENCIZER = Sentencizer()
#: the most characters of a sentence, for each token that it may have
TOKEN_LENGTH = 10


class Sentence(NamedTuple):
    """A text that is translated at once, between the white space before and after it.

    span: the tokens that it is of.
    start: its first character in the document.
    """

    span: Span
    start: int
    before: str
    text: str
    after: str


def sentences_of(doc: Doc, split: bool, max_length: int, name: str) -> List[Sentence]:
    """The sentences of a document. Together they are its text.

    split: let spaCy's sentencizer say whether a sentence starts at the tokens of which that is not
        known; without, none does.
    max_length: sentences of more tokens, or of more than ten times as many characters, are cut into
        parts, with a warning; 0 for no limit.
    name: of the component, for the warning.
    """
    found = []
    for span in _spans(doc, split):
        parts = [(span, span.text_with_ws)]
        if max_length and _is_long(*parts[0], max_length):
            parts = list(_parts(span, max_length))
            logger.warning(
                "'%s' cuts a sentence into %d parts (tokens: %d, characters: %d): '%s…'. If it is "
                "several sentences, let a component before it set sentence starts, as "
                "nlp.add_pipe('senter', source=spacy.load('en_core_web_sm'), before='%s'). If it "
                "is one, raise max_length = %d.",
                name,
                len(parts),
                len(span),
                len(span.text),
                span.text[:50],
                name,
                max_length,
            )
        place = span.start_char
        for part, whole in parts:
            text = whole.strip()
            start = whole.index(text)
            after = whole[start + len(text) :]
            found.append(Sentence(part, place + start, whole[:start], text, after))
            place += len(whole)
    return found


def gaps_of(sentences: Sequence[Sentence]) -> List[str]:
    """The white space before the first sentence, between the sentences and after the last one."""
    ends = ["", *(sentence.after for sentence in sentences)]
    starts = [*(sentence.before for sentence in sentences), ""]
    return [after + before for after, before in zip(ends, starts, strict=True)]


def _spans(doc: Doc, split: bool) -> Iterator[Span]:
    is_start = doc.to_array(SENT_START) == 1
    is_start[:1] = True
    unknown = doc.to_array(SENT_START) == 0
    if split and unknown[1:].any():
        # As spaCy's sentencizer itself, which leaves what is set.
        (found,) = SENTENCIZER.predict([doc])
        is_start |= unknown & np.array(found)
    starts = np.flatnonzero(is_start).tolist()
    for start, end in pairwise([*starts, len(doc)]):
        yield doc[start:end]


def _is_long(span: Span, text: str, max_length: int) -> bool:
    return len(span) > max_length or len(text.strip()) > TOKEN_LENGTH * max_length


def _parts(span: Span, max_length: int) -> Iterator[Tuple[Span, str]]:
    """The parts of a sentence that is too long, with their texts. They end between tokens; only
    within a token that is too long itself."""
    text, most = span.text_with_ws, TOKEN_LENGTH * max_length
    # The first token and character of the part, counted from the beginning of the span.
    first = start = 0
    for i, token in enumerate(span):
        at = token.idx - span.start_char
        end = at + len(token.text_with_ws)
        if i > first and (i - first == max_length or end - start > most):
            yield span[first:i], text[start:at]
            first, start = i, at
        while end - start > most:
            yield span[i : i + 1], text[start : start + most]
            start += most
    yield span[first:], text[start:]
