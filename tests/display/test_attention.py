"""Attention as markup, as a page and in Jupyter, like the visualizations of displaCy."""

from html.parser import HTMLParser
from typing import NamedTuple

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_rnn import display, viz

from ..helpers.markup import elements, texts


class Alignment(NamedTuple):
    source: Span
    translation: str
    pieces: list
    weights: np.ndarray


class Translator:
    """A stand-in that translates sentences by reversing them."""

    def align(self, docs):
        return [
            [
                Alignment(
                    sentence,
                    " ".join(t.text for t in sentence)[::-1],
                    [f"▁{t.text}" for t in sentence][::-1],
                    self.weights(sentence),
                )
                for sentence in doc.sents
            ]
            for doc in docs
        ]

    def weights(self, sentence):
        return np.eye(len(sentence), dtype=np.float32)[::-1] * 0.9


@pytest.fixture
def docs():
    vocab = spacy.blank("xx").vocab
    words = ["It", "works", ".", "Well", "!"]
    starts = [True, False, False, True, False]
    return [
        Doc(vocab, words=words, sent_starts=starts),
        Doc(vocab, words=["a<b"], sent_starts=[True]),
    ]


def test_a_picture_for_each_sentence(docs):
    svgs = viz.attention(docs, Translator()).split("</svg>")
    assert len(svgs) == 4 and not svgs.pop().strip()
    first, second, third = (svg + "</svg>" for svg in svgs)
    assert texts(first, "title") == ["It works . → . skrow tI"]
    assert texts(first, "row-name") == ["translation"]
    assert texts(first, "column-name") == ["source"]
    assert texts(first, "value-name") == ["attention"]
    assert texts(first, "row") == ["▁.", "▁works", "▁It"]
    assert texts(first, "column") == ["It", "works", "."]
    assert [cell.get("fill-opacity") for cell in elements(first, "cell")][:3] == [
        "0.000",
        "0.000",
        "0.900",
    ]
    assert texts(second, "column") == ["Well", "!"]
    assert texts(third, "column") == ["a<b"]


def test_one_doc_is_enough(docs):
    assert viz.attention(docs[0], Translator()) == viz.attention(docs[:1], Translator())
    assert viz.attention(iter(docs), Translator()) == viz.attention(docs, Translator())


def test_page(docs):
    page = viz.attention(docs, Translator(), page=True)
    assert page.startswith("<!DOCTYPE html>") and '<meta charset="utf-8">' in page
    open_tags = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag != "meta":
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    parser = Parser()
    parser.feed(page)
    parser.close()
    assert not open_tags
    assert page.count("<figure") == page.count("<svg") == 3
    assert "a&lt;b" in page


def test_jupyter(docs, shown, monkeypatch):
    markup = viz.attention(docs, Translator())
    assert not shown
    assert viz.attention(docs, Translator(), jupyter=True) is None
    assert len(shown) == 1 and markup in shown[0]
    monkeypatch.setattr(display, "is_in_jupyter", lambda: True)
    assert viz.attention(docs, Translator(), jupyter=False) == markup
    assert len(shown) == 1
    assert display.render(["<svg/>"]) is None
    assert "<svg/>" in shown[1]
