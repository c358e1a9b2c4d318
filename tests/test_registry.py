"""Every public name resolves in a fresh pipeline, is documented, and is in the expected list."""

import re
import subprocess
import sys
from importlib.metadata import distribution

import pytest
import spacy

from spacy_rnn.cli import rnn_cli

from .helpers.paths import ROOT
from .helpers.registered import NAMES, REGISTERED


def test_the_list_is_complete():
    found = {}
    for entry in distribution("spacy-rnn").entry_points:
        found.setdefault(entry.group, set()).add(entry.name)
    assert {group: sorted(names) for group, names in found.items()} == REGISTERED


NOT_FUNCTIONS = ("spacy_factories", "spacy_cli")


@pytest.mark.parametrize("group, name", [x for x in NAMES if x[0] not in NOT_FUNCTIONS])
def test_resolves(group, name):
    registry = group.split("_", 1)[1]
    assert callable(spacy.registry.get(registry, name))


@pytest.mark.parametrize("group, name", NAMES)
def test_is_documented(group, name):
    (entry,) = [e for e in distribution("spacy-rnn").entry_points if e.name == name]
    function = entry.load()
    text = function.info.help if group == "spacy_cli" else function.__doc__
    assert text and len(text) > 20
    if group not in NOT_FUNCTIONS:
        assert re.match(rf"{re.escape(name)}: ", text)
    row = f"| `{name}` | {group.split('_', 1)[1]} |"
    assert row in (ROOT / "docs" / "reference" / "registry.md").read_text(encoding="utf8")


def test_every_command_is_documented():
    """The row of the commands lists all commands in alphabetical order."""
    registry = (ROOT / "docs" / "reference" / "registry.md").read_text(encoding="utf8")
    (row,) = re.findall(r"^\| `rnn` \| cli \| (.*?) \|", registry, re.MULTILINE)
    names = [command.name for command in rnn_cli.registered_commands]
    assert re.findall(r"`([\w-]+)`", row) == sorted(names)


@pytest.mark.slow
def test_a_blank_pipeline_imports_no_heavy_libraries():
    """The package imports no heavy library that torch and spaCy do not import themselves."""
    heavy = ("datasets", "sentencepiece", "pandas", "matplotlib", "scipy", "torchtext")
    code = f"import spacy, sys; spacy.blank('en'); print([m for m in {heavy} if m in sys.modules])"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "[]"


@pytest.mark.slow
def test_factories_are_available_without_an_import():
    names = REGISTERED["spacy_factories"]
    code = (
        f"import spacy; nlp = spacy.blank('en'); [nlp.add_pipe(x) for x in {names}]; "
        "print(nlp.pipe_names)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == str(names)


def test_networks_do_not_depend_on_spacy():
    """`spacy_rnn.nn` can be used separately, except for the code that makes its import lazy."""
    for path in (ROOT / "spacy_rnn" / "nn").glob("*.py"):
        text = path.read_text(encoding="utf8")
        assert not re.search(r"^\s*(from|import) (spacy|thinc)\b", text, re.MULTILINE), path
        if path.name != "__init__.py":
            assert not re.search(r"^\s*from \.\.", text, re.MULTILINE), path
