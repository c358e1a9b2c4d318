"""Memory of each component in `nlp.pipe` over texts of words that were never seen before, with and
without blocks of `nlp.memory_zone()`.

`COMPONENT_memory_growth` is the peak memory after the first tenth of the tokens divided by the peak
in that tenth; `COMPONENT_memory_growth_no_zone` is the same without zones, where spaCy keeps every
new word, and `COMPONENT_bytes_per_word` is the memory that it then keeps for each.

With `--document-tokens N`, one document of N tokens is predicted instead, by encoders of one layer
of 64 units. `COMPONENT_document_mb` is the peak memory that this takes in addition to the document.

    python benchmarks/memory_flat.py [--quick] [--tokens N | --document-tokens N]
        [--only COMPONENT ...]

Each measurement runs in a separate process. With `--tokens 10_000_000` it takes hours.
"""

import ctypes
import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import common
import spacy
from common import output_of, resident_bytes, show
from latency import COMPONENTS, UPDATES, annotated
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from spacy_rnn.extensions import set_doc_extension

#: the value that resets the peak memory when it is written to /proc/self/clear_refs
RESET_PEAK = "5"
TOKENS, QUICK_TOKENS = 1_000_000, 20_000
WORDS_IN_TEXT, TEXTS_IN_ZONE = 10, 200
SAMPLES = 100
N_LEARNED = 500
#: number of distinct words in the long document
N_WORDS = 20_000
SMALL = {"hidden_size": 64, "depth": 1}


def trained(factory: str, small: bool = False) -> Language:
    """A pipeline after a training that is too short to be useful."""
    set_doc_extension("regression")
    set_doc_extension("translation")
    gold = common.treebank("train", spacy.blank("en").vocab, N_LEARNED)
    learned = [annotated(doc) for doc in gold]
    settings = COMPONENTS[factory]
    if small:
        config = Config(Language.get_factory_meta(factory).default_config["model"])
        settings = {**settings, "model": config.merge({"encoder": SMALL})}
    nlp = common.pipeline(learned, factory, **settings)
    batches = common.padded_batches(common.examples(learned, nlp.vocab))[:UPDATES]
    docs = [[eg.reference for eg in batch] for batch in batches]
    common.training(nlp, docs, common.adamw(), common.DROPOUT)()
    return nlp


def texts() -> Iterator[str]:
    """Texts of random words of 8 letters, almost all of which occur only once."""
    rng = random.Random(0)
    while True:
        words = ("".join(rng.choices(ascii_lowercase, k=8)) for _ in range(WORDS_IN_TEXT))
        yield " ".join(words)


def memory(nlp: Language, n_tokens: int, zones: bool) -> list[int]:
    """The bytes of memory in use, at regular intervals."""
    n_zones = max(n_tokens // (WORDS_IN_TEXT * TEXTS_IN_ZONE), SAMPLES // 10)
    every = max(1, n_zones // SAMPLES)
    source, found = texts(), []
    for number in range(n_zones):
        some = islice(source, TEXTS_IN_ZONE)
        if zones:
            with nlp.memory_zone():
                for _ in nlp.pipe(some):
                    pass
        else:
            for _ in nlp.pipe(some):
                pass
        if number % every == 0:
            found.append(resident_bytes())
    return found


def growth(found: list[int]) -> float:
    tenth = max(1, len(found) // 10)
    return round(max(found[tenth:]) / max(found[:tenth]), 3)


def measure(factory: str, n_tokens: int, zones: bool) -> dict[str, Any]:
    nlp = trained(factory)
    found = memory(nlp, n_tokens, zones)
    tenth = max(1, len(found) // 10)
    kept = (found[-1] - found[tenth - 1]) / (0.9 * n_tokens)
    return {"growth": growth(found), "bytes": round(kept, 1), "start_mb": found[0] / 1e6}


def of_document(factory: str, n_tokens: int) -> dict[str, Any]:
    """The megabytes that the prediction of a long document takes in addition to the document, and
    the seconds."""
    nlp = trained(factory, small=True)
    rng = random.Random(0)
    words = ["".join(rng.choices(ascii_lowercase, k=8)) for _ in range(N_WORDS)]
    doc = Doc(nlp.vocab, rng.choices(words, k=n_tokens))
    # Memory that only the first prediction allocates is not counted.
    nlp(Doc(nlp.vocab, words[:10]))
    # Memory that training has freed would hide what the document takes.
    ctypes.CDLL(None).malloc_trim(0)
    before, start = resident_bytes(), common.clock()
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    nlp(doc)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return {
        "mb": round((int(peak[1]) * 1024 - before) / 1e6, 1),
        "seconds": round(common.clock() - start, 1),
    }


def of_documents(factories: Sequence[str], n_tokens: int) -> dict[str, Any]:
    """`of_document` for each component."""
    command = [__file__, "--document-tokens", n_tokens, "--side", "document", "--only"]
    found = {factory: output_of([*command, factory]) for factory in factories}
    rows = [[factory, of["mb"], of["seconds"]] for factory, of in found.items()]
    show(f"A document of {n_tokens:,} tokens", ["component", "additional MB", "CPU seconds"], rows)
    return {f"{factory}_document_mb": of["mb"] for factory, of in found.items()}


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--tokens", type=int, help=f"{TOKENS:,} by default")
    parser.add_argument("--only", nargs="+", choices=COMPONENTS, default=list(COMPONENTS))
    parser.add_argument("--document-tokens", type=int, help="one document of this length instead")
    sides = ("zone", "no_zone", "document")
    parser.add_argument("--side", choices=sides, help="only this measurement, of one component")
    options = parser.parse_args()
    common.one_thread()
    if options.side == "document":
        common.finish(of_document(options.only[0], options.document_tokens))
        return
    if options.document_tokens:
        common.finish(of_documents(options.only, options.document_tokens))
        return
    n_tokens = options.tokens or (QUICK_TOKENS if options.quick else TOKENS)
    if options.side:
        common.finish(measure(options.only[0], n_tokens, options.side == "zone"))
        return
    result: dict[str, Any] = {}
    rows = []
    for factory in options.only:
        command = [__file__, "--tokens", n_tokens, "--only", factory, "--side"]
        zone, without = (output_of([*command, side]) for side in ("zone", "no_zone"))
        result[f"{factory}_memory_growth"] = zone["growth"]
        result[f"{factory}_memory_growth_no_zone"] = without["growth"]
        result[f"{factory}_bytes_per_word"] = without["bytes"]
        rows.append([factory, zone["growth"], without["growth"], without["bytes"]])
    header = ["component", "with zones", "without", "bytes / word without"]
    show(f"Growth of memory over {n_tokens:,} new words", header, rows)
    common.finish(result)


if __name__ == "__main__":
    main()
