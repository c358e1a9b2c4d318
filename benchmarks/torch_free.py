"""What it takes to predict without torch: an environment of spaCy, safetensors, ONNX Runtime and
spacy-rnn alone, in which a compressed tagger reads the test set of UD English EWT.

* the size of the installed packages, all of them and without what docs/deploy.md leaves out;
* the share of tags that are those which the same pipeline predicts where torch is installed;
* the size of the compressed pipeline over that of the trained one;
* the seconds to import spaCy and load the pipeline.

It installs packages from PyPI. The keys are explained in benchmarks/README.md.

    python benchmarks/torch_free.py [--quick]
"""

import json
import subprocess
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import common
import spacy
from common import Size

NAME = "rnn_tagger"
FULL, QUICK = Size(None, None, 400, 1), Size(300, 200, 20, 1)
#: what is installed beside this package
PACKAGES = ["spacy", "safetensors", "onnxruntime"]
#: what is not part of them
TOOLS = ["pip", "pip-*", "setuptools", "setuptools-*", "pkg_resources", "_distutils_hack"]
#: what a pipeline in English does without, beside `TOOLS`
LEFT_OUT = [*TOOLS, "**/tests", "**/__pycache__", "spacy/lang/[!e_]*", "spacy/lang/e[!n]"]
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


def install(folder: Path) -> tuple[Path, Path]:
    """Make the environment; returns its Python, and the folder of its packages."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    # From a copy, as a build writes into the folder that it builds.
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", common.REPO.as_uri(), source], check=True)
    subprocess.run([*pip, "--no-deps", source], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    return python, packages


def megabytes(folder: Path, left_out: Iterable[str] = ()) -> float:
    """The size of the files of a folder, but for those in folders of these patterns."""
    without = {path for pattern in left_out for path in folder.glob(pattern)}
    files = (path for path in folder.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files if without.isdisjoint(path.parents)]
    return sum(sizes) / 1e6


def predict(python: Path, path: Path, texts: list[list[str]]) -> dict[str, Any]:
    """Load the pipeline and tag the texts, in a process of the environment."""
    done = subprocess.run(
        [python, "-I", "-c", PREDICT, path],
        input=json.dumps(texts),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=common.one_thread(),
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
    optimizer = common.adamw()
    for batch in common.some_batches(batches, size.batches):
        nlp.update(batch, drop=common.DROPOUT, sgd=optimizer)
    with tempfile.TemporaryDirectory() as folder:
        trained, small = Path(folder) / "trained", Path(folder) / "small"
        nlp.to_disk(trained)
        compressed = common.compressed(nlp, train, int8=True)
        compressed.to_disk(small)
        python, packages = install(Path(folder) / "environment")
        texts = [common.words_of(doc) for doc in test]
        found = predict(python, small, texts)
        docs = compressed.pipe(common.blank(doc, compressed.vocab) for doc in test)
        expected = [token.tag_ for doc in docs for token in doc]
        tags = [tag for of_doc in found["tags"] for tag in of_doc]
        pairs = list(zip(tags, expected, strict=True))
        result = {
            "torch_free_mb": round(megabytes(packages, TOOLS)),
            "function_mb": round(megabytes(packages, LEFT_OUT)),
            "torch_free_agreement": sum(one == other for one, other in pairs) / len(pairs),
            "folder_size_ratio": round(megabytes(small) / megabytes(trained), 3),
            "torch_free_load_seconds": round(found["seconds"], 2),
        }
    common.show("without torch", ["figure", "value"], list(result.items()))
    common.finish(result)


if __name__ == "__main__":
    main()
