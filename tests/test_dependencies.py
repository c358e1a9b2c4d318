"""Imported libraries are declared, and libraries that only some features need are optional."""

import ast
import re
import subprocess
import sys
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from spacy_rnn.datasets import to_dataset
from spacy_rnn.optional import EXTRAS, optional_import
from spacy_rnn.readers.hf_dataset import HFDataset
from spacy_rnn.readers.parallel import ParallelCorpus
from spacy_rnn.scorers import make_translation_scorer, translation_score

from .helpers.paths import ROOT
from .helpers.pipelines import make_examples, make_pipeline, train

REQUIREMENTS = [Requirement(line) for line in requires("spacy-rnn")]
#: the extras that the extra "all" includes
WITH_ALL = {
    extra
    for found in REQUIREMENTS
    if 'extra == "all"' in str(found.marker)
    for extra in found.extras
}
#: libraries that the system may or may not provide
OF_THE_SYSTEM = {"IPython", "compression"}


def declared(extra=None):
    """The libraries that the package needs, or those that an extra adds."""
    if extra is None:
        return {found.name for found in REQUIREMENTS if "extra" not in str(found.marker)}
    return {
        found.name for found in REQUIREMENTS if re.search(f'extra == "{extra}"', str(found.marker))
    }


def imported(nodes):
    """The third-party libraries that these nodes of a syntax tree import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    tops = {name.split(".")[0] for name in names}
    return tops - sys.stdlib_module_names - OF_THE_SYSTEM


def test_imported_libraries_are_declared():
    trees = [ast.parse(path.read_bytes()) for path in (ROOT / "spacy_rnn").rglob("*.py")]
    at_once = {name for tree in trees for name in imported(tree.body)}
    at_some_time = {name for tree in trees for name in imported(ast.walk(tree))}
    assert at_once <= declared()
    assert at_some_time == declared() | {library.split(".")[0] for library in EXTRAS}


@pytest.mark.parametrize("library, extra", EXTRAS.items())
def test_the_extra_named_in_an_error_installs_the_library(library, extra):
    assert library in declared(extra)
    # The extra torchtext needs an old torch; the extras of distributed engines are large.
    if extra not in ("torchtext", "ray", "spark"):
        assert extra in WITH_ALL


@pytest.mark.slow
def test_importing_every_module_loads_no_optional_library():
    code = (
        "import importlib, pkgutil, sys, spacy.cli, torch\n"
        "others = set(sys.modules)\n"
        "import spacy_rnn\n"
        "for found in pkgutil.walk_packages(spacy_rnn.__path__, 'spacy_rnn.'):\n"
        "    importlib.import_module(found.name)\n"
        f"print((set(sys.modules) - others) & {set(EXTRAS)})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_missing_library_is_named_with_its_extra(hide):
    hide("sacrebleu")
    with pytest.raises(ImportError) as error:
        with optional_import("sacrebleu", "Scoring translations", ", or do not"):
            import sacrebleu  # noqa: F401
    assert re.fullmatch(
        r"Scoring translations needs the library sacrebleu, which is not installed or does not "
        r'load \(.*sacrebleu.*\): install it with pip install "spacy-rnn\[translate\]", or do not.',
        str(error.value),
    )


def test_other_errors_are_not_changed():
    with pytest.raises(ValueError, match="^another$"):
        with optional_import("sacrebleu", "Scoring translations"):
            raise ValueError("another")


@pytest.mark.parametrize("name", ["a.parquet", "saved", "name_on_the_hub"])
def test_reading_a_dataset_without_the_library(name, tmp_path, hide):
    (tmp_path / "a.parquet").touch()
    to_dataset(eg.reference for eg in make_examples(make_pipeline("rnn_tagger"))).save_to_disk(
        tmp_path / "saved"
    )
    hide("datasets")
    path = tmp_path / name if "hub" not in name else name
    reader = HFDataset(path)
    with pytest.raises(ImportError, match=rf"Reading .*{name} needs .*spacy-rnn\[datasets\]"):
        next(iter(reader(make_pipeline("rnn_textcat"))))


def test_translations_are_read_without_the_library_unless_they_are_a_dataset(tmp_path, hide):
    nlp = make_pipeline("rnn_translator")
    to_dataset(eg.reference for eg in make_examples(nlp)).save_to_disk(tmp_path / "saved")
    (tmp_path / "a.tsv").write_text("Go!\tVa !\n")
    (tmp_path / "a.jsonl").write_text('{"source": "Go!", "target": "Va !"}\n')
    hide("datasets")
    for name in ("a.tsv", "a.jsonl"):
        assert len(list(ParallelCorpus(tmp_path / name)(nlp))) == 1
    with pytest.raises(ImportError, match=r"Reading .*saved needs .*spacy-rnn\[datasets\]"):
        list(ParallelCorpus(tmp_path / "saved")(nlp))


def test_writing_a_dataset_without_the_library(hide):
    hide("datasets")
    with pytest.raises(ImportError, match=r"to_dataset needs .*spacy-rnn\[datasets\]"):
        to_dataset([])


@pytest.mark.parametrize("tokenize", ["13a", "char"])
def test_a_translator_is_loaded_and_translates_without_sacrebleu(tokenize, tmp_path, hide):
    """Only scoring needs sacrebleu."""
    scorer = {"@scorers": "spacy_rnn.translation_scorer.v1", "tokenize": tokenize}
    nlp = make_pipeline("rnn_translator", scorer=scorer)
    train(nlp, make_examples(nlp), steps=2)
    nlp.to_disk(tmp_path / "pipeline")
    hide("sacrebleu")
    loaded = type(nlp).from_config(nlp.config).from_disk(tmp_path / "pipeline")
    assert isinstance(loaded("I like green eggs")._.translation, str)
    with pytest.raises(ImportError, match=r"Scoring translations needs .*spacy-rnn\[translate\]"):
        loaded.evaluate(make_examples(loaded))


def test_scoring_without_sacrebleu(hide):
    hide("sacrebleu")
    for scorer in (translation_score, make_translation_scorer("char")):
        with pytest.raises(ImportError, match=r"spacy-rnn\[translate\]"):
            scorer([])
