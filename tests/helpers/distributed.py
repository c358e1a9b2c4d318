"""Trainings by two processes: torchrun starts this module, which trains the configs of a folder.

    torchrun --nproc-per-node 2 -m tests.helpers.distributed FOLDER
"""

import os
import subprocess
import sys
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from thinc.api import Config

from spacy_rnn.extensions import set_doc_extension
from spacy_rnn.runtime.distributed import process_group
from spacy_rnn.training.loop import train

from .paths import ROOT

WORDS = ["red", "green", "blue", "one", "two", "three", "dog", "dogs", "sleeps", "sleep"]


def make_corpus(path, n):
    """Sentences of several lengths with every annotation, derived from the words."""
    for name in ("translation", "regression"):
        set_doc_extension(name)
    docs = []
    vocab = spacy.blank("en").vocab
    for i in range(n):
        words = [WORDS[(i * i + k * (i + 1)) % len(WORDS)] for k in range(2 + i * i % 7)]
        doc = Doc(vocab, words=words, tags=[word[0].upper() for word in words])
        doc.ents = [doc.char_span(0, len(words[0]), label="FIRST")]
        doc.cats = {"COLOR": float(words[0] in WORDS[:3]), "OTHER": float(words[0] in WORDS[3:])}
        doc._.regression = {"length": float(len(words))}
        doc._.translation = " ".join(word[::-1] for word in words)
        docs.append(doc)
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def torchrun(*arguments, processes=2, **environment):
    """The ended process of a command that torchrun starts several times."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run"),
            *("--standalone", "--nproc-per-node", str(processes)),
            *map(str, arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=280,
    )


def main(folder):
    with process_group():
        for path in sorted(Path(folder).glob("*.cfg")):
            nlp = init_nlp(Config().from_disk(path, interpolate=False))
            train(nlp, path.with_suffix(""))


if __name__ == "__main__":
    main(sys.argv[1])
