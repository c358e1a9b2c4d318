"""The tables of settings and scores agree with the code and are complete."""

import inspect
import json
import re
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from types import NoneType
from typing import Literal, Union, get_args, get_origin

import pytest
import spacy
from spacy.language import Language
from spacy.util import registry
from thinc.types import Generator

from spacy_rnn.nn.cells import CELLS, cell_names

from ..helpers.pages import PAGES, blocks, parse, parts
from ..helpers.registered import NAMES

TABLES = [table for page in PAGES for table in parts(page).tables]
SETTINGS = ("Setting", "Type", "Default", "Meaning")
SCORES = ("Score", "Weight", "Meaning")
FACTORIES = [name for group, name in NAMES if group == "spacy_factories"]
#: the configs of the components' pages
CONFIGS = [block for block in blocks("ini") if block.heading == "Config"]
#: the arguments that spaCy passes to a factory
GIVEN = ("nlp", "name")


def function_of(group, name):
    if group != "spacy_factories":
        return registry.get(group.split("_", 1)[1], name)
    (entry,) = entry_points(group=group, name=name)
    return entry.load()


def settings_of(group, name):
    """The settings of a factory or a registered function as rows of a table without meanings."""
    parameters = list(inspect.signature(function_of(group, name)).parameters.values())
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    if group == "spacy_factories":
        parameters = [p for p in parameters if p.name not in GIVEN]
        defaults = Language.get_factory_meta(name).default_config
    return [
        {
            "Setting": f"`{p.name}`",
            "Type": type_name(p.annotation),
            "Default": default_name(defaults[p.name]) if p.name in defaults else "required",
        }
        for p in parameters
    ]


def type_name(annotation) -> str:
    """A type as the tables write it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is NoneType:
        return "null"
    if origin is Union:
        return " or ".join(type_name(each) for each in arguments)
    if origin is Literal:
        return ", ".join(f"`{json.dumps(each)}`" for each in arguments)
    if origin in (list, Sequence):
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"dict of {type_name(arguments[1])}"
    if origin is Callable or annotation is Callable:
        return "function"
    return "schedule" if annotation is Generator else f"`{annotation.__name__}`"


def default_name(value) -> str:
    """A default as the tables write it: as in a config, a registered function by its name."""
    if isinstance(value, dict):
        return f"`{next(name for key, name in value.items() if key.startswith('@'))}`"
    return f"`{json.dumps(value)}`"


WITH_SETTINGS = [(group, name) for group, name in NAMES if group != "spacy_cli"]
WITH_SETTINGS = [x for x in WITH_SETTINGS if settings_of(*x)]


def test_every_table_is_checked():
    assert sum(table.columns == SETTINGS for table in TABLES) == len(WITH_SETTINGS)


def table_of(name):
    """The table of settings under a heading with this name."""
    found = [t for t in TABLES if t.columns == SETTINGS and f"`{name}`" in t.heading]
    assert len(found) == 1, f"`{name}` needs one table {SETTINGS} under a heading that names it."
    return found[0]


@pytest.mark.parametrize("group, name", WITH_SETTINGS, ids=[name for _, name in WITH_SETTINGS])
def test_settings(group, name):
    """One table under a heading with the name has all settings, in their order."""
    table = table_of(name)
    without_meaning = [{key: row[key] for key in SETTINGS[:3]} for row in table.rows]
    assert without_meaning == settings_of(group, name), str(table)
    assert all(len(row["Meaning"]) > 5 for row in table.rows)


@pytest.mark.parametrize("table", [t for t in TABLES if t.columns == SETTINGS], ids=str)
def test_cells(table):
    """The meaning of a setting that names a cell lists all of them, in the order of the table of
    cells."""
    for row in table.rows:
        if row["Setting"] == "`cell`":
            named = [name for name in re.findall(r"`(\w+)`", row["Meaning"]) if name in CELLS]
            assert named in (cell_names(), cell_names(recurrent=True))


@pytest.mark.parametrize("name", FACTORIES)
def test_scores(name):
    """A component's page has its scores, with their weights."""
    page = table_of(name).page
    (table,) = [t for t in parts(page).tables if t.columns == SCORES]
    found = {row["Score"]: row["Weight"] for row in table.rows}
    weights = Language.get_factory_meta(name).default_score_weights
    assert found == {f"`{score}`": json.dumps(weight) for score, weight in weights.items()}
    assert all(len(row["Meaning"]) > 5 for row in table.rows)


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_the_config_of_a_page_is_the_default(block):
    ((name, settings),) = parse(block.text)["components"].items()
    nlp = spacy.blank("en")
    nlp.add_pipe(settings["factory"], name=name)
    assert settings == nlp.config["components"][name]


def test_every_component_has_a_config():
    """The two classifiers share a page and a config."""
    shown = [next(iter(parse(block.text)["components"].values())) for block in CONFIGS]
    factories = {settings["factory"] for settings in shown}
    assert factories == set(FACTORIES) - {"rnn_textcat_multilabel"}
