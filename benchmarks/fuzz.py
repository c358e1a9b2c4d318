"""Random damage to small saved components of every kind (tests/fuzz/mutations.py): flipped bits,
truncated, deleted and exchanged files, edited JSON and configs, in turn.

* mutations_silent: the number of mutations after which a component loads and answers differently;
* mutations_crashed: the number that end in an exception other than a ValueError, in a hang of 30
  seconds, or in more than 4 GB of memory;
* mutations_unclear: the number that end in a ValueError that names neither the file nor the
  setting;
* check_share_N_words: the time of the checksums as a share of the time of `spacy.load`, for a
  pipeline with a tagger of N words (11 and 52 MB).

    python benchmarks/fuzz.py [--quick] [--minutes N] [--seed N]
"""

import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import common
import spacy
import tqdm
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.checksums import check_folder

sys.path.insert(0, str(common.REPO))
from tests.fuzz.mutations import make_subjects, mutate

MUTATIONS, QUICK = 10_000, 500
MEMORY = 4 << 30


def share_of_check(folder: Path, n_words: int) -> float:
    """The time of the checksums as a share of the time to load a pipeline with a tagger of
    `n_words` words, the median of nine."""
    nlp = spacy.blank("xx")
    pipe = nlp.add_pipe("rnn_tagger", config={"model": {"embedding": {"words": {"min_freq": 1}}}})
    words = [f"w{n}" for n in range(n_words)]
    gold = Doc(nlp.vocab, words=words, tags=["X"] * n_words)
    nlp.initialize(lambda: [Example(Doc(nlp.vocab, words=words), gold)])
    nlp.to_disk(folder)
    shares = []
    for _ in range(9):
        start = time.perf_counter()
        check_folder(folder / "rnn_tagger", type(pipe).__name__)
        checked = time.perf_counter()
        spacy.load(folder)
        shares.append((checked - start) / (time.perf_counter() - checked))
    return sorted(shares)[len(shares) // 2]


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--minutes", type=float, help="time limit instead of a number of mutations")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        shares = {n: share_of_check(Path(folder) / str(n), n) for n in (1_000, 100_000)}
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        end = time.monotonic() + 60 * (arguments.minutes or 10**6)
        most = QUICK if arguments.quick else MUTATIONS
        n = sys.maxsize if arguments.minutes else most
        for what, outcome in tqdm.tqdm(mutate(make_subjects(folder), n, arguments.seed)):
            kind, _, message = outcome.partition(": ")
            found[kind] += 1
            if kind not in ("noticed", "right"):
                print(f"{what}: {kind} {message[:200]}")
            if time.monotonic() > end:
                break
    common.finish(
        {
            "mutations": sum(found.values()),
            **{f"mutations_{kind}": found[kind] for kind in ("silent", "crashed", "unclear")},
            **{f"check_share_{n}_words": round(share, 4) for n, share in shares.items()},
        }
    )


if __name__ == "__main__":
    main()
