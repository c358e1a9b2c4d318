"""Commands of ``python -m spacy``, run in this process."""

import spacy
from spacy.cli import app
from typer.testing import CliRunner


def run(*arguments, code=0, message="", stdin=None):
    """Run a spaCy command in this process; returns what it printed.

    message: what the exception that ends it says.
    stdin: the contents of standard input.
    """
    setup_cli_once()
    arguments = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exit_code == code, f"{arguments}\n{result.output}\n{result.exception!r}"
    assert message in str(result.exception)
    return result.output


def setup_cli_once(done=[]):  # noqa: B006
    if not done:
        done.append(True)
        spacy.util.registry.cli.get_all()


def shown(output):
    """As it is written, but for how lines are wrapped."""
    return " ".join(output.split())
