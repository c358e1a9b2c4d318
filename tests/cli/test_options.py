"""Options of all commands."""

from collections import defaultdict

import pytest
from typer.main import get_command

from spacy_rnn.cli import rnn_cli

from ..helpers.cli import run, shown

COMMANDS = get_command(rnn_cli).commands


def test_a_short_option_has_one_meaning():
    meanings = defaultdict(set)
    for command in COMMANDS.values():
        for parameter in command.params:
            long = max(parameter.opts, key=len)
            for short in parameter.opts:
                if len(short) == 2 and short.startswith("-"):
                    meanings[short].add(long)
    assert meanings["-o"] == {"--output"}
    # A number of sentences, as in spaCy's `convert`, or of texts.
    assert meanings.pop("-n") == {"--n-sents", "--n-texts"}
    assert all(len(names) == 1 for names in meanings.values()), meanings


def test_commands_that_read_data_have_the_same_options():
    expected = set("format columns separator delimiter header quotes encoding n_sents".split())
    for command in ("convert", "evaluate", "init-config", "threshold"):
        assert expected <= {parameter.name for parameter in COMMANDS[command].params}


@pytest.mark.parametrize("option, value", [("--batch-size", "0"), ("--n-process", "0")])
def test_numbers_out_of_range(option, value, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("a\n")
    arguments = ["no_model", texts, "-o", tmp_path / "out.jsonl", option, value]
    printed = shown(run("rnn", "apply", *arguments, code=2))
    assert f"Invalid value for '{option}'" in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_has_a_help_text(name):
    command = COMMANDS[name]
    assert command.help
    assert all(p.help for p in command.params if p.name != "help"), name
