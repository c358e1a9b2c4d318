"""How much memory and time it takes to read the needed words from a text file of 1,000,000 x 300
word vectors (2.9 GB, which is written to --work and removed): 20,000 words from all over the file,
and these together with the first 50,000 words, which spacy_rnn.VectorFile.v1 keeps by default. For
comparison, spaCy's reader (`spacy init vectors`), which reads all words.

    python benchmarks/vector_memory.py [--quick] [--work DIR]

Each figure is measured in a separate process, which this script starts as

    python benchmarks/vector_memory.py --measure FILE --side needed|extra|spacy
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
from common import output_of, show

WORDS, WIDTH, EXTRA = 1_000_000, 300, 50_000
#: one of this many words is needed
EVERY = 50
#: number of distinct rows of numbers in the file
ROWS = 1000
SIDES = {
    "needed": "needed words",
    "extra": f"needed and the first {EXTRA:,} words",
    "spacy": "spaCy, all words",
}


def write(path: Path, n_words: int) -> None:
    """Write a file of word vectors with a header."""
    values = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
    rows = [" ".join(f"{value:.6f}" for value in row) for row in values]
    with path.open("w", encoding="utf8") as file:
        file.write(f"{n_words} {WIDTH}\n")
        file.writelines(f"word{i} {rows[i % ROWS]}\n" for i in range(n_words))


def memory(field: str) -> float:
    """Memory of this process, in MB. The peak of `getrusage` may be that of its parent process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def measure(path: str, side: str) -> dict[str, float]:
    """Read the file; the memory is the peak minus what the process held before."""
    from spacy.training.initialize import read_vectors as read_with_spacy

    from spacy_rnn.features.vector_files import read_vectors

    needed = {f"word{i}" for i in range(0, WORDS, EVERY)}
    before, start = memory("VmRSS"), time.perf_counter()
    if side == "spacy":
        n_read = len(read_with_spacy(Path(path), 0)[0])
    else:
        n_read = len(read_vectors(path, needed, EXTRA if side == "extra" else 0).keys)
    seconds = time.perf_counter() - start
    return {"words": n_read, "seconds": seconds, "mb": memory("VmHWM") - before}


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--work", type=Path, help="where the file is written")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        common.finish(measure(options.measure, options.side))
        return
    n_words = WORDS // 10 if options.quick else WORDS
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        n_bytes = n_words * WIDTH * 10
        if shutil.disk_usage(folder).free < n_bytes:
            sys.exit(f"{folder} has less than {n_bytes / 1e9:.1f} GB free: name another --work.")
        path = Path(folder) / "vectors.txt"
        write(path, n_words)
        found = {side: output_of([__file__, "--measure", path, "--side", side]) for side in SIDES}
    show(
        f"Reading a file of {n_words:,} x {WIDTH}",
        ["", "words", "seconds", "MB"],
        [[SIDES[side], f["words"], f["seconds"], f["mb"]] for side, f in found.items()],
    )
    result = {}
    for side, suffix in (("needed", ""), ("extra", "_extra"), ("spacy", "_spacy")):
        result[f"peak_mb{suffix}"] = round(found[side]["mb"], 1)
        result[f"seconds{suffix}"] = round(found[side]["seconds"], 1)
    common.finish(result)


if __name__ == "__main__":
    main()
