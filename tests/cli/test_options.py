"""Options of all commands."""

from collections import defaultdict

import pytest
from typer.main import get_command

from spacy_rnn.cli import rnn_cli

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


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_has_a_help_text(name):
    command = COMMANDS[name]
    assert command.help
    assert all(p.help for p in command.params if p.name != "help"), name
