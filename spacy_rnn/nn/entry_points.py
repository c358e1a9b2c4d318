"""Parts of networks that other packages add to the tables of this one."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any


def add_entry_points(table: dict[str, Any], group: str) -> None:
    """Add the entry points of installed packages to a table, whose own entries are kept.

    table (dict[str, Any]): Parts of a network by the names that a config gives them.
    group (str): The group of the entry points, such as "spacy_rnn_cells".
    """
    for entry in entry_points(group=group):
        if entry.name not in table:
            table[entry.name] = entry.load()
