"""CoNLL-U: the raw texts of a treebank, the predictions of a pipeline, and scores by the rules of
the CoNLL 2018 shared task (udtools)."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence

from spacy.tokens import Doc, Token
from udtools.udeval import evaluate, load_conllu

METRICS = ("Tokens", "Sentences", "Words", "UPOS", "XPOS", "UFeats", "Lemmas", "UAS", "LAS")
TEXT = "# text = "
#: starts of the lines that end a text
BREAKS = ("# newdoc", "# newpar")
#: letters with apostrophes, such as "do" and "n't", which are words of one token
LETTERS = re.compile(r"['’]?([^\W\d_]['’]?)+")


def raw_texts(treebank: str) -> list[str]:
    """The texts of the paragraphs, which the official raw texts separate by empty lines."""
    texts: list[list[str]] = [[]]
    for line in treebank.splitlines():
        if line.startswith(BREAKS):
            texts.append([])
        elif line.startswith(TEXT):
            texts[-1] += line.removeprefix(TEXT).split()
    return [" ".join(words) for words in texts if words]


def scores(gold: str, predicted: str) -> dict[str, float]:
    """The F1 of each metric, in percent."""
    both = [load_conllu(io.StringIO(text), "", {}) for text in (gold, predicted)]
    found = evaluate(*both)
    return {metric: 100 * found[metric].f1 for metric in METRICS}


def to_conllu(docs: Iterable[Doc], one_sentence: bool = False) -> str:
    """The annotation of documents.

    one_sentence: treat each document as one sentence, whatever is predicted.
    """
    spans = (span for doc in docs for span in ([doc[:]] if one_sentence else doc.sents))
    sentences = ([token for token in span if not token.is_space] for span in spans)
    return "".join("\n".join([*_lines(words), "", ""]) for words in sentences if words)


def _lines(words: Sequence[Token]) -> Iterator[str]:
    """The lines of a sentence. It has exactly one root; other roots are attached to it."""
    numbers = {word.i: number for number, word in enumerate(words, start=1)}
    root = next(word for word in words if word.head == word or word.head.i not in numbers)
    ends = _multiword_tokens(words)
    for number, word in enumerate(words, start=1):
        if number in ends:
            form = "".join(each.text for each in words[number - 1 : ends[number]])
            yield "\t".join([f"{number}-{ends[number]}", form, *"________"])
        head, relation = numbers.get(word.head.i, 0), word.dep_
        if word == root:
            head, relation = 0, "root"
        elif word.head == word or not head:
            head, relation = numbers[root.i], "parataxis"
        values = (word.lemma_, word.pos_, word.tag_, str(word.morph), str(head), relation)
        columns = [str(number), word.text, *(value or "_" for value in values), "_", "_"]
        yield "\t".join(columns)


def _multiword_tokens(words: Sequence[Token]) -> dict[int, int]:
    """The numbers of the first and the last word of each multi-word token: words of letters that no
    space separates."""
    ends: dict[int, int] = {}
    start = 1
    for number, (word, other) in enumerate(zip(words, words[1:], strict=False), start=1):
        together = other.i == word.i + 1 and not word.whitespace_
        if together and all(LETTERS.fullmatch(each.text) for each in (word, other)):
            ends[start] = number + 1
        else:
            start = number + 1
    return ends
