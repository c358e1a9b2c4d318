"""The Python blocks of docs/saliency.md work when pasted, and its commands are there."""

import re
import shlex

import pytest
import typer

from spacy_rnn.cli import rnn_cli

from ..conftest import ROOT

PAGE = (ROOT / "docs" / "saliency.md").read_text(encoding="utf8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_block_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/saliency.md", "exec"), {})
    (page,) = tmp_path.glob("*.html")
    assert page.read_text(encoding="utf8").startswith("<!DOCTYPE html>")


def test_commands_can_be_read():
    commands = typer.main.get_command(rnn_cli).commands
    lines = [shlex.split(line) for line in re.findall(r"python -m spacy rnn (.*)", PAGE)]
    assert {name for name, *_ in lines} == {"saliency", "states"} and len(BLOCKS) == 2
    for name, *arguments in lines:
        found = commands[name].make_context(name, arguments)
        assert found.params["model"] == "training/model-best" and found.params["texts"]
