"""Commands of ``python -m spacy``, run in this process."""

import spacy
from spacy.cli import app
from typer.testing import CliRunner


def run(*arguments, code=0, message="", stdin=None):
    """Run a spaCy command in this process. Returns its output.

    message: a part of the message of the exception that ends it.
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
    """The output without its line breaks, which depend on how lines are wrapped."""
    return " ".join(output.split())
