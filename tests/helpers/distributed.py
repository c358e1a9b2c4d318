"""Training by two processes: torchrun starts this module, which trains the configs of a folder.

torchrun --nproc-per-node 2 -m tests.helpers.distributed FOLDER
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from spacy.training.initialize import init_nlp
from thinc.api import Config

from spacy_rnn.extensions import set_doc_extension
from spacy_rnn.runtime.distributed import group, process_group
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
    """Run a command in several processes by torchrun. Returns the completed process."""
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


@spacy.registry.callbacks("distributed.Events.v1")
def make_events():
    """Events of a training: a step that is not finite, a new label, a signal, the death of a
    process. The last two only happen if the environment requests them."""

    def before_update(nlp, args):
        step, second = args["step"], os.environ.get("RANK") == "1"
        shim = nlp.get_pipe("rnn_tagger").shim
        if step == 3 and second:
            parameter = next(shim.module.parameters())
            parameter.grad = torch.full_like(parameter, torch.nan)
        if step == 5:
            nlp.get_pipe("rnn_tagger").add_label("NEW")
        if step == 6 and second:
            if os.environ.get("EVENT") == "signal":
                os.kill(os.getpid(), signal.SIGTERM)
            if os.environ.get("EVENT") == "error":
                raise RuntimeError("The second process has an error")
            if os.environ.get("EVENT") == "death":
                os.kill(os.getpid(), signal.SIGKILL)

    return before_update


@spacy.registry.readers("distributed.Differing.v1")
def make_differing(path):
    """A corpus that has longer texts, with the same labels, in the second process."""
    corpus = Corpus(path)

    def read(nlp):
        examples = list(corpus(nlp))
        if os.environ["RANK"] == "0":
            return examples
        return [max(examples, key=len)] * len(examples)

    return read


def main(folder):
    """Train each config NAME.cfg or NAME.N.cfg in the folder NAME, or resume its training there."""
    with process_group():
        for path in sorted(Path(folder).glob("*.cfg")):
            name, _, times = path.stem.partition(".")
            os.environ["EVENT"] = "signal" if times == "1" else ""
            nlp = init_nlp(Config().from_disk(path, interpolate=False))
            try:
                train(nlp, path.with_name(name), resume=True)
            except ValueError as error:
                path.with_name(f"{name}.error{group().rank}").write_text(str(error))
        rank = group().rank
    threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    Path(folder, f"threads{rank}").write_text("".join(threads))


if __name__ == "__main__":
    main(sys.argv[1])
