"""Code that the benchmarks share: the data, timing, and the report."""

import argparse
import gc
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model_from_config
from spacy.vectors import Vectors
from spacy.vocab import Vocab
from thinc.api import Optimizer
from wasabi import table

from spacy_rnn.readers.data_file import detect

HERE = Path(__file__).resolve().parent
REPO = HERE.parent
DATA = Path(os.environ.get("SPACY_RNN_DATA", REPO.parent / "shared" / "data"))
TREEBANKS = {
    "en": DATA / "ud-en-ewt" / "en_ewt-ud-{}.conllu.xz",
    "pt": DATA / "ud-pt-bosque" / "pt_bosque-ud-{}.conllu.xz",
    "cs": DATA / "ud-cs-cltt" / "cs_cltt-ud-{}.conllu.xz",
}
WNUT17 = {
    "train": "ner-wnut17/wnut17train.conll.xz",
    "dev": "ner-wnut17/emerging.dev.conll.xz",
    "test": "ner-wnut17/emerging.test.annotated.xz",
}
#: size and buffer of the batches of configs/tagger.cfg
PADDED_TOKENS, BUFFER = 1200, 512
DROPOUT = 0.4
#: batch size in prediction with spaCy's components; its taggers are fastest with it
SPACY_BATCH = 128

sys.path.insert(0, str(REPO / "corpora"))


def parser(doc: str | None, gpu: bool = False) -> argparse.ArgumentParser:
    """A parser for the arguments that all scripts have; `doc` is the script's docstring."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a smaller version, within a minute")
    if gpu:
        made.add_argument(
            "--gpu", action="store_true", help="only against bare torch, on a CUDA device"
        )
    return made


def choose_device(gpu: bool) -> str:
    """Choose the device of the bare torch networks and of all pipelines made from now on.

    RAISES (ValueError): If there is no GPU.
    """
    if not gpu:
        return "cpu"
    spacy.require_gpu()
    return "cuda"


def one_thread() -> dict[str, str]:
    """Make torch use one thread; returns an environment in which child processes do so too."""
    torch.set_num_threads(1)
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def treebank(split: str, vocab: Vocab, limit: int | None = None, lang: str = "en") -> list[Doc]:
    """The sentences of a treebank, each as a separate gold document."""
    file = detect(str(TREEBANKS[lang]).format(split))
    return list(islice(file.read(Language(vocab)), limit))


def polarity(split: str, limit: int | None = None) -> list[Doc]:
    """The texts of sentence polarity in random order, tokenized and with their gold classes."""
    from texts import polarity as read
    from texts import to_doc

    nlp = spacy.blank("en")
    texts = [text for text in read(DATA / "textcat-sentence-polarity") if text.part == split]
    random.Random(0).shuffle(texts)
    return [to_doc(text, nlp) for text in texts[:limit]]


def wnut17(split: str, limit: int | None = None) -> list[Doc]:
    """The sentences of WNUT17, each as a separate gold document."""
    return list(islice(detect(DATA / WNUT17[split]).read(spacy.blank("en")), limit))


def glove() -> Vectors:
    """All GloVe vectors, concatenated for each word."""
    from vectors import join, read_vectors

    sources = sorted((DATA / "vectors-glove").glob("*.txt.xz"))
    header, *lines = join([read_vectors(path, (), None) for path in sources])
    rows = [line.rsplit(" ", int(header.split(" ")[1])) for line in lines]
    data = np.array([numbers for _, *numbers in rows], dtype="float32")
    return Vectors(data=data, keys=[word for word, *_ in rows])


def words_of(doc: Doc) -> list[str]:
    return [token.text for token in doc]


def n_words(docs: Iterable[Doc]) -> int:
    return sum(map(len, docs))


def blank(doc: Doc, vocab: Vocab) -> Doc:
    """The document's words without annotation."""
    spaces = [bool(token.whitespace_) for token in doc]
    return Doc(vocab, words=words_of(doc), spaces=spaces)


def examples(docs: Sequence[Doc], vocab: Vocab) -> list[Example]:
    """Examples with the gold tokens, as ``gold_preproc = true`` makes them."""
    return [Example(blank(doc, vocab), doc) for doc in docs]


def pipeline(
    train: Sequence[Doc],
    factory: str,
    model: Mapping[str, Any] | None = None,
    vectors: Vectors | None = None,
    **cfg: Any,
) -> Language:
    """An initialized English pipeline of one component that predicts the documents' annotation.

    model: replaces the factory's default model.
    vectors: pretrained word vectors.
    """
    nlp = spacy.blank("en")
    if vectors is not None:
        nlp.vocab.vectors = vectors
    nlp.add_pipe(factory, config={**({} if model is None else {"model": model}), **cfg})
    gold = examples(train, nlp.vocab)
    nlp.initialize(lambda: gold)
    return nlp


def compressed(nlp: Language, gold: Sequence[Doc], int8: bool) -> Language:
    """A compressed copy of the pipeline, which ONNX Runtime runs.

    gold: typical documents.
    """
    from spacy_rnn.analysis.compression import compress

    found = compress(nlp, [blank(doc, nlp.vocab) for doc in gold], int8)
    assert all(each.graphs for each in found.values()), found
    return load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def padded_batches(
    items: Sequence[Example], size: int = PADDED_TOKENS, buffer: int = BUFFER
) -> list[list[Example]]:
    """Batches of sentences of similar length, as spaCy's batcher makes them."""
    make = spacy.registry.get("batchers", "spacy.batch_by_padded.v1")
    return list(make(size=size, buffer=buffer, discard_oversize=False)(items))


def some_batches(
    train: Sequence[Doc], n: int, size: int = PADDED_TOKENS, buffer: int = BUFFER
) -> list[list[Doc]]:
    """A random sample of the batches that spaCy's batcher makes from the training data."""
    batches = padded_batches(examples(train, train[0].vocab), size, buffer)
    return [[eg.reference for eg in batch] for batch in random.Random(0).sample(batches, n)]


def adamw(**settings: Any) -> Optimizer:
    return spacy.registry.get("optimizers", "spacy_rnn.AdamW.v1")(**settings)


# Timing

#: a function that runs one round of one side of a comparison, and returns its words/s
Side = Callable[[], float]


class Size(NamedTuple):
    """How much is measured: the number of gold documents that pipelines are made from, of documents
    that are predicted, of training batches per round, and of rounds."""

    train: int | None
    test: int | None
    batches: int
    rounds: int


def clock() -> float:
    """The time in seconds. On a GPU this is wall time, after waiting for the GPU to finish. On a
    CPU it is the processor time of this process, which runs in one thread: this equals wall time on
    an idle machine, and is steadier on a busy one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def speed(n_words: int, run: Callable[..., Any], prepare: Callable[[], tuple] = tuple) -> Side:
    """A side that measures the words/s of `run`; `prepare` makes its arguments and is not timed."""

    def round_() -> float:
        arguments = prepare()
        gc.collect()
        start = clock()
        run(*arguments)
        return n_words / (clock() - start)

    return round_


def prediction(nlp: Language, gold: Sequence[Doc], batch_size: int | None = None) -> Side:
    """A side that runs the whole pipeline over new documents. Their order is new in each round, so
    that kernels that are compiled for the shape of a batch gain nothing from the round before."""
    rng = random.Random(0)

    def documents() -> tuple[list[Doc]]:
        return ([blank(doc, nlp.vocab) for doc in rng.sample(gold, len(gold))],)

    return speed(n_words(gold), lambda docs: list(nlp.pipe(docs, batch_size=batch_size)), documents)


def training(
    nlp: Language, batches: Sequence[Sequence[Doc]], optimizer: Optimizer, drop: float
) -> Side:
    """A side that updates the pipeline on new examples."""

    def update(prepared: Sequence[list[Example]]) -> None:
        for batch in prepared:
            nlp.update(batch, drop=drop, sgd=optimizer)

    return speed(
        n_words(chain(*batches)),
        update,
        lambda: ([examples(batch, nlp.vocab) for batch in batches],),
    )


def by_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, list[float]]:
    """The words/s of each side in each round. After a warm-up round, each round runs every side
    once, so that other load on the machine affects all sides."""
    for run in sides.values():
        run()
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            speeds[name].append(run())
    return speeds


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of one side's speed divided by the other's."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)


def fastest(speeds: Mapping[str, Sequence[float]], prefix: str) -> str:
    """The side with the highest median among those whose names start with `prefix`."""
    sides = [name for name in speeds if name.startswith(prefix)]
    return max(sides, key=lambda name: statistics.median(speeds[name]))


def over_bare(
    predicting: Mapping[str, Side], updating: Mapping[str, Side], rounds: int
) -> dict[str, float]:
    """The figures `infer_ratio` and `train_ratio`: the speed of the first side divided by that of
    the fastest bare torch side."""
    result = {}
    for key, sides in (("infer_ratio", predicting), ("train_ratio", updating)):
        speeds = by_turns(sides, rounds)
        ours = next(iter(sides))
        show_speeds(f"{ours} against bare torch", speeds, ours)
        result[key] = ratio(speeds[ours], speeds[fastest(speeds, "bare")])
    return result


def over_peers(
    config: str,
    predicting: Mapping[str, Side],
    updating: Mapping[str, Side],
    rounds: int,
    prefix: str = "",
) -> dict[str, float]:
    """The figures `infer_vs_PEER` and `train_vs_PEER`: the speed of the first side divided by that
    of each of the others, which are spaCy's.

    config: the config that the first side runs. prefix: the prefix of the figures' names.
    """
    result = {}
    for key, sides in (("infer", predicting), ("train", updating)):
        speeds = by_turns(sides, rounds)
        ours, *peers = sides
        show_speeds(f"{key}: configs/{config} against spaCy's components", speeds, ours)
        for peer in peers:
            result[f"{prefix}{key}_vs_{peer}"] = ratio(speeds[ours], speeds[peer])
    return result


# Other processes


def output_of(command: Sequence[Any], python: str = sys.executable) -> Any:
    """Run a script in a separate process; returns the JSON in the last line of its output, and
    prints the lines before it."""
    done = subprocess.run(
        [python, *map(str, command)],
        env=one_thread(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    *lines, last = done.stdout.splitlines()
    print("\n".join(lines), flush=True)
    return json.loads(last)


def resident_bytes(pid: int | str = "self") -> int:
    """The resident memory of a process, as reported by Linux."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# Report


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    print(f"\n{title}")
    cells = [[_cell(value) for value in row] for row in rows]
    aligns = ("l", *("r" for _ in header[1:]))
    print(table(cells, header=header, divider=True, aligns=aligns, max_col=60), flush=True)


def show_speeds(title: str, speeds: Mapping[str, Sequence[float]], ours: str) -> None:
    """Print each side's words/s, and the speed of `ours` divided by it."""
    rows = [
        [name, statistics.median(values), ratio(speeds[ours], values)]
        for name, values in speeds.items()
    ]
    show(title, ["side", "words/s", f"{ours} / side"], rows)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "-" if value is None else str(value)


#: Linux's names of the instruction sets that determine the choice of kernels
INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd")


def processor() -> str:
    """The processor's name and instruction sets; figures of different ones are not comparable."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {name.strip(): value.strip() for name, value in fields.items()}
    flags = named.get("flags", named.get("Features", "")).split()
    sets = [name for name in INSTRUCTION_SETS if name in flags]
    return ", ".join([named.get("model name", platform.machine()), *sets])


def finish(result: Mapping[str, Any], gpu: bool = False) -> None:
    """Print the figures as the last line, with the processor and, if one was used, the GPU.

    gpu: whether the figures were measured on a GPU; their names then end in "_gpu".
    """
    suffix = "_gpu" if gpu else ""
    machine = {"processor": processor()}
    if gpu:
        machine["gpu"] = torch.cuda.get_device_name()
    figures = {name + suffix: figure for name, figure in result.items()}
    print(json.dumps({**figures, **machine}))
