"""Prediction without torch: a compressed tagger predicts the test set of UD English EWT with only
spaCy, safetensors, ONNX Runtime and spacy-rnn installed. This measures

* the size of the installed packages without their tests, and without everything that
  docs/how-to/deploy.md removes for a cloud function, in MB of 2^20 bytes, as cloud functions count
  them;
* the share of tags that are the same as those of the same pipeline in an environment with torch;
* the size of the compressed pipeline divided by that of the trained one;
* the seconds to import spaCy and load the pipeline.

It installs packages from PyPI. The keys are explained in benchmarks/README.md.

    python benchmarks/torch_free.py [--quick]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import spacy
from common import Size

NAME = "rnn_tagger"
FULL, QUICK = Size(None, None, 400, 1), Size(300, 200, 20, 1)
#: packages that are installed besides this one
PACKAGES = ["spacy", "safetensors", "onnxruntime"]
#: commands that make the folder of the packages smaller, as in docs/how-to/deploy.md
WITHOUT_TESTS = r"find {0} -type d -name tests -prune -exec rm -r {{}} +"
STRIPPED = r'find {0} -name "*.so" -not -path "*/numpy.libs/*" -exec strip --strip-unneeded {{}} +'
PREDICT = """
import json, sys, time
start = time.perf_counter()
import spacy
nlp = spacy.load(sys.argv[1])
seconds = time.perf_counter() - start
docs = [spacy.tokens.Doc(nlp.vocab, words) for words in json.load(sys.stdin)]
tags = [[token.tag_ for token in doc] for doc in nlp.pipe(docs)]
assert "torch" not in sys.modules
print(json.dumps({"seconds": seconds, "tags": tags}))
"""


def install(folder: Path) -> Path:
    """Install the packages; returns their folder."""
    packages, source = folder / "packages", folder / "source"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", packages]
    subprocess.run([*pip, *PACKAGES], check=True)
    # From a copy, because a build writes into the source folder.
    clone = ["git", "clone", "--quiet", "--depth=1", common.REPO.as_uri(), source]
    subprocess.run(clone, check=True)
    subprocess.run([*pip, "--no-deps", source], check=True)
    return packages


def megabytes(folder: Path) -> float:
    """The size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def predict(packages: Path, path: Path, texts: list[list[str]]) -> dict[str, Any]:
    """Load the pipeline and tag the texts, in a process that has only these packages."""
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-B", "-c", PREDICT, path],
        input=json.dumps(texts),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    options = common.parser(__doc__).parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    train = common.treebank("train", spacy.blank("en").vocab, size.train)
    test = common.treebank("test", spacy.blank("en").vocab, size.test)
    nlp = common.pipeline(train, NAME)
    batches = common.padded_batches(common.examples(train, nlp.vocab))
    optimizer, rng = common.adamw(), random.Random(0)
    for _ in range(size.batches):
        nlp.update(rng.choice(batches), drop=common.DROPOUT, sgd=optimizer)
    with tempfile.TemporaryDirectory() as folder:
        trained, small = Path(folder) / "trained", Path(folder) / "small"
        nlp.to_disk(trained)
        compressed = common.compressed(nlp, train, int8=True)
        compressed.to_disk(small)
        packages = install(Path(folder))
        texts = [common.words_of(doc) for doc in test]
        subprocess.run(WITHOUT_TESTS.format(packages), shell=True, check=True)
        size_of_all, found = megabytes(packages), predict(packages, small, texts)
        subprocess.run(STRIPPED.format(packages), shell=True, check=True)
        assert predict(packages, small, texts)["tags"] == found["tags"]
        docs = compressed.pipe(common.blank(doc, compressed.vocab) for doc in test)
        expected = [token.tag_ for doc in docs for token in doc]
        tags = [tag for of_doc in found["tags"] for tag in of_doc]
        pairs = list(zip(tags, expected, strict=True))
        result = {
            "torch_free_mb": round(size_of_all),
            "function_mb": round(megabytes(packages)),
            "torch_free_agreement": sum(one == other for one, other in pairs) / len(pairs),
            "folder_size_ratio": round(megabytes(small) / megabytes(trained), 3),
            "torch_free_load_seconds": round(found["seconds"], 2),
        }
    common.show("without torch", ["figure", "value"], list(result.items()))
    common.finish(result)


if __name__ == "__main__":
    main()
