"""Commands of the documentation and of the project, checked without running them."""

import argparse
import runpy
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest
import spacy
import typer
from spacy.cli._util import app, parse_config_overrides
from weasel.util.config import load_project_config

from .cli import setup_cli_once


def check_spacy(words):
    """Check that a command of spaCy accepts these arguments, and that its overrides are existing
    settings."""
    setup_cli_once()
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"There is no command '{name}'."
        command = command.commands[name]
    context = command.make_context(name, words)
    overrides = parse_config_overrides(list(context.args), env_var=None)
    if name == "run":
        project = load_project_config(Path.cwd(), interpolate=False)
        known = [*project["workflows"], *(each["name"] for each in project["commands"])]
        assert context.params["subcommand"] in known
        assert set(overrides) <= {f"vars.{name}" for name in project["vars"]}
    elif overrides:
        config = spacy.util.load_config(context.params["config_path"])
        nlp = spacy.util.load_model_from_config(config, auto_fill=True)
        for key in overrides:
            *sections, setting = key.split(".")
            assert setting in reduce(getitem, sections, nlp.config), key


class Parsed(Exception):
    """A script has read its arguments."""


def check_script(path, words):
    """Check that a script exists and accepts these arguments."""
    parse_args = argparse.ArgumentParser.parse_args

    def stop(parser, arguments=None):
        parse_args(parser, arguments)
        raise Parsed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Parsed):
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr("sys.argv", [str(path), *words])
        patch.syspath_prepend(path.parent)
        runpy.run_path(str(path), run_name="__main__")
