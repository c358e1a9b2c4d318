"""Messages that the troubleshooting page quotes are those of the code."""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from ..helpers.pages import blocks
from ..helpers.paths import ROOT

#: modules of other packages whose messages users see
OTHERS = ("spacy.errors", "thinc.util")


@cache
def messages():
    """The strings of the code, with … for inserted values."""
    paths = [*(ROOT / "spacy_rnn").rglob("*.py"), *(Path(find_spec(m).origin) for m in OTHERS)]
    nodes = [n for p in paths for n in ast.walk(ast.parse(p.read_text(encoding="utf8")))]
    found = [_text(node) for node in nodes if isinstance(node, (ast.Constant, ast.JoinedStr))]
    return [re.sub(r"%[sd]|\{\w+\}", "…", " ".join(message.split())) for message in found]


def _text(node):
    """The text of a string or an f-string."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"


QUOTED = [block for block in blocks("text") if block.page.name == "troubleshooting.md"]


@pytest.mark.parametrize("block", QUOTED, ids=str)
def test_a_quoted_message_exists(block):
    pieces = " ".join(block.text.split()).split("…")
    assert max(map(len, pieces)) >= 12, "Too little of the message is fixed."
    pattern = re.compile(".*".join(map(re.escape, pieces)))
    assert any(pattern.search(message) for message in messages()), block.text
