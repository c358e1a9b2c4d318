"""The files, settings and figures in the course exist."""

import re
from functools import reduce
from operator import getitem

import pytest
import srsly
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.util import load_config, load_model_from_config, registry

from ..helpers.output import NUMBER
from ..helpers.pages import outputs, parts
from ..helpers.paths import ROOT

PAGE = ROOT / "docs" / "explanation" / "course.md"
TEXT = PAGE.read_text(encoding="utf8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf8")
CONFIGS = re.findall(r"```ini\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("text", SECTIONS.values(), ids=SECTIONS)
def test_an_idea_has_a_config_code_and_a_figure(text):
    config, code, measured = (
        text.find(f"\n{x}") for x in ("In a config", "In the code", "Measured")
    )
    assert 0 < config < code < measured
    assert "```ini" in text[config:code]
    assert "](../../spacy_rnn/" in text[code:measured]
    assert re.search(rf"`\w+` {NUMBER}|```python", text[measured:])


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
    assert "../../README.md" in links
    for link in links:
        assert (PAGE.parent / link).exists(), link


# Configs


def settings(block):
    """The sections of a part of a config with their settings, as paths of keys with values."""
    section = ()
    for line in block.splitlines():
        if line.startswith("["):
            section = tuple(line.strip("[]").split("."))
        elif line:
            key, _, value = line.partition(" = ")
            yield (*section, key), srsly.json_loads(value)


def ready_config(block):
    """The ready config of the component that a block is about."""
    names = re.findall(r"^\[components\.(\w+)", block, re.MULTILINE)
    (name,) = set(names) or {"tagger"}
    return load_config(ROOT / "configs" / f"{name}.cfg")


@pytest.mark.parametrize("block", CONFIGS, ids=range(len(CONFIGS)))
def test_settings_exist(block):
    """The ready config has each setting, and accepts its value."""
    config, part = ready_config(block), {}
    config["nlp"]["lang"] = "xx"
    for path, value in settings(block):
        *sections, key = path
        node = part
        for section in sections:
            node = node.setdefault(section, {})
        node[key] = value
        if key == "factory":
            del config["components"][sections[-1]]
    nlp = load_model_from_config(config.merge(part), auto_fill=True)
    for (*sections, key), _ in settings(block):
        # spaCy drops settings that it does not know without an error.
        assert key in reduce(getitem, sections, nlp.config)
    filled = nlp.config.interpolate()
    registry.resolve(filled["training"], schema=ConfigSchemaTraining)
    registry.resolve({"corpora": {"train": {**filled["corpora"]["train"], "path": "train.spacy"}}})


def test_score_weights_are_those_of_components():
    """spaCy does not check the names of scores."""
    paths = [path for block in CONFIGS for path, _ in settings(block)]
    named = {path[-1] for path in paths if "score_weights" in path}
    assert named and named <= set(Language.get_factory_meta("rnn_tagger").default_score_weights)


# Figures


@pytest.mark.parametrize("text", SECTIONS.values(), ids=SECTIONS)
def test_figures_are_those_of_the_benchmarks(text):
    """The figures are in rows with the commands that the section gives."""
    text = " ".join(text.split())
    commands = re.findall(r"\(`(\w+\.py[^`]*)`\)", text)
    for key, figure in re.findall(rf"`(\w+)` ({NUMBER})", text):
        rows = [f"| `{key}` | {figure} | `{command}` |" for command in commands]
        assert any(row in BENCHMARKS for row in rows), (key, figure)


def test_code_shows_its_output():
    """The output is compared in test_blocks.py, where the blocks of all pages run."""
    assert outputs(PAGE).keys() == {x for x in parts(PAGE).blocks if x.language == "python"}
