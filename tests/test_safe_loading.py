"""Loading does not run code that is in the loaded files."""

import ast
import io
import pickle

import numpy as np
import pytest
import spacy
import srsly
import torch

from spacy_rnn.checksums import write_record

from .helpers.kinds import KINDS
from .helpers.paths import ROOT
from .helpers.pipelines import make_trained

MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "imp"}
CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {("torch", "load"), ("torch", "jit"), ("np", "load"), ("numpy", "load")}
#: modules that import by name, but only names that are in the package
BY_NAME = {"optional.py", "nn/__init__.py"}


@pytest.mark.parametrize("path", sorted((ROOT / "spacy_rnn").rglob("*.py")), ids=lambda p: p.name)
def test_no_module_can_run_code_of_a_file(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            assert not MODULES & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert module.split(".")[0] not in MODULES
            if module == "importlib" and "import_module" in {alias.name for alias in node.names}:
                assert path.relative_to(ROOT / "spacy_rnn").as_posix() in BY_NAME
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in CALLS
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in ATTRIBUTES


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return io.open, (str(self.path), "w")


def payloads(path):
    bad = Malicious(path)
    saved = io.BytesIO()
    torch.save(bad, saved)
    array = io.BytesIO()
    np.save(array, np.array([bad], dtype=object), allow_pickle=True)
    yield from (pickle.dumps(bad), saved.getvalue(), array.getvalue())


def test_the_pickle_would_run(tmp_path):
    payload, *_ = payloads(tmp_path / "ran")
    pickle.loads(payload).close()
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_pickles_in_place_of_files_are_not_run(kind, tmp_path):
    """Pickles are not run even if the checksums are correct."""
    make_trained(kind.factory).to_disk(tmp_path / "pipeline")
    pipe = kind.pipe(kind.make())
    folder, ran = tmp_path / "pipeline" / kind.factory, tmp_path / "ran"
    component = srsly.read_json(folder / "checksums")["component"]
    sound = {name: (folder / name).read_bytes() for name in ("cfg", "model", "checksums")}
    envelope = srsly.msgpack_loads(sound["model"])
    for payload in payloads(ran):
        # The payload replaces each file, and the weights inside the model.
        inner = srsly.msgpack_dumps({**envelope, "shims": [[payload]]})
        for name, data in [*((name, payload) for name in sound), ("model", inner)]:
            (folder / name).write_bytes(data)
            if name != "checksums":
                write_record(folder, component)
            with pytest.raises(ValueError, match=f"'{kind.factory}' from"):
                pipe.from_disk(folder, exclude=["vocab"])
            assert not ran.exists()
            for each, content in sound.items():
                (folder / each).write_bytes(content)
    assert spacy.load(tmp_path / "pipeline").pipe_names == [kind.factory]
