"""Sentences of documents, the units that a translator translates."""

import logging
from itertools import pairwise
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.attrs import SENT_START
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc, Span

logger = logging.getLogger("spacy_rnn")

#: splits documents without sentence starts
SENTENCIZER = Sentencizer()
#: maximum number of characters of a sentence, per token that it may have
TOKEN_LENGTH = 10


class Sentence(NamedTuple):
    """A part of a document that is translated at once.

    span (Span): The tokens.
    start (int): The first character of the text in the document.
    before, text, after (str): The text and the whitespace before and after it.
    """

    span: Span
    start: int
    before: str
    text: str
    after: str


def sentences_of(doc: Doc, split: bool, max_length: int, name: str) -> List[Sentence]:
    """Split a document into sentences, which together make up its text.

    doc (Doc): The document.
    split (bool): Let spaCy's sentencizer decide whether a sentence starts at the tokens for which
        this is not set; otherwise none does.
    max_length (int): Sentences of more tokens, or of more than ten times as many characters, are
        cut into parts, with a warning; 0 for no limit.
    name (str): The name of the component, for the warning.
    RETURNS (List[Sentence]): The sentences.
    """
    sentences = []
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
        offset = span.start_char
        for part, whole in parts:
            text = whole.strip()
            start = whole.index(text)
            after = whole[start + len(text) :]
            sentences.append(Sentence(part, offset + start, whole[:start], text, after))
            offset += len(whole)
    return sentences


def gaps_of(sentences: Sequence[Sentence]) -> List[str]:
    """The whitespace before the first sentence, between the sentences and after the last one."""
    ends = ["", *(sentence.after for sentence in sentences)]
    starts = [*(sentence.before for sentence in sentences), ""]
    return [after + before for after, before in zip(ends, starts, strict=True)]


def _spans(doc: Doc, split: bool) -> Iterator[Span]:
    is_start = doc.to_array(SENT_START) == 1
    is_start[:1] = True
    unknown = doc.to_array(SENT_START) == 0
    if split and unknown[1:].any():
        # As spaCy's sentencizer does, which keeps what is set.
        (found,) = SENTENCIZER.predict([doc])
        is_start |= unknown & np.array(found)
    starts = np.flatnonzero(is_start).tolist()
    for start, end in pairwise([*starts, len(doc)]):
        yield doc[start:end]


def _is_long(span: Span, text: str, max_length: int) -> bool:
    return len(span) > max_length or len(text.strip()) > TOKEN_LENGTH * max_length


def _parts(span: Span, max_length: int) -> Iterator[Tuple[Span, str]]:
    """The parts of a sentence that is too long, with their texts. They end between tokens, unless a
    token is too long itself."""
    text, max_characters = span.text_with_ws, TOKEN_LENGTH * max_length
    # The first token and character of the part, counted from the beginning of the span.
    first = start = 0
    for i, token in enumerate(span):
        at = token.idx - span.start_char
        end = at + len(token.text_with_ws)
        if i > first and (i - first == max_length or end - start > max_characters):
            yield span[first:i], text[start:at]
            first, start = i, at
        while end - start > max_characters:
            yield span[i : i + 1], text[start : start + max_characters]
            start += max_characters
    yield span[first:], text[start:]
