"""Scripts that run for a change or a release exist, and repeated version numbers agree."""

import os
import re
import shlex
from importlib.metadata import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import spacy_rnn

from .helpers.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
SCRIPTS = {path.name for path in (ROOT / ".ci").iterdir()}
PACKAGE = metadata("spacy-rnn")
PYTHONS = [
    each.rpartition(" ")[2]
    for each in PACKAGE.get_all("Classifier")
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", each)
]


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf8"))


def commands(workflow):
    """The commands that the steps of a workflow run."""
    jobs = read(ROOT / ".github" / "workflows" / f"{workflow}.yml")["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_only_calls_scripts(path):
    # YAML 1.1 reads "on" as true.
    assert {"name", True, "jobs"} <= set(read(path))
    found = commands(path.stem)
    assert found
    for command in found:
        folder, script = shlex.split(command)[0].split("/")
        assert folder == ".ci" and script in SCRIPTS


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission")
@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_scripts_can_be_run(script):
    path = ROOT / ".ci" / script
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf8").startswith("#!/usr/bin/env bash\n# ")
    assert "set -euo pipefail" in path.read_text(encoding="utf8")


def test_all_scripts_are_run_and_explained():
    """The local run has the steps of the workflow, except the coverage, which takes long. It also
    has the step that needs the data."""
    text = (ROOT / ".ci" / "run").read_text(encoding="utf8")
    steps = set(re.findall(r"^run (\w+)", text, re.MULTILINE))
    steps |= set(re.search(r"for step in (.*); do", text)[1].split())
    assert steps | {"coverage"} == {
        *(shlex.split(command)[0].split("/")[1] for command in commands("checks")),
        "slow",
    }
    assert {*steps, "coverage", "readme", "run"} == SCRIPTS
    explained = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    assert all(f"`.ci/{name}`" in explained for name in SCRIPTS - {"readme", "torch"})


def test_the_readme_has_the_commands():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    first, second = re.findall(r"^```bash\n(.*)\n```$", text, re.MULTILINE)[:2]
    assert "project run all" in first and "pytest" in second


def test_python_versions():
    """Classifiers list the supported versions, and all supported versions are tested."""
    supported = SpecifierSet(PACKAGE["Requires-Python"])
    assert PYTHONS and all(f"{python}.0" in supported for python in PYTHONS)
    minor = int(PYTHONS[0].split(".")[1])
    assert f"3.{minor - 1}.99" not in supported
    assert PYTHONS == [f"3.{minor + i}" for i in range(len(PYTHONS))]
    jobs = read(ROOT / ".github" / "workflows" / "checks.yml")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == PYTHONS
    (oldest,) = [s["with"] for s in jobs["oldest"]["steps"] if "setup-python" in s.get("uses", "")]
    assert oldest["python-version"] == PYTHONS[0]


def test_hooks_have_the_versions_of_the_extra():
    pinned = {
        each.name: str(each.specifier).removeprefix("==")
        for each in map(Requirement, PACKAGE.get_all("Requires-Dist"))
        if 'extra == "dev"' in str(each.marker)
    }
    repos = read(ROOT / ".pre-commit-config.yaml")["repos"]
    found = {
        repo["repo"].rpartition("/")[2].removesuffix("-pre-commit"): repo["rev"].removeprefix("v")
        for repo in repos
        if repo["repo"] != "local"
    }
    assert found == {name: pinned[name] for name in ("ruff", "codespell")}


def test_the_citation_is_of_this_version():
    citation = read(ROOT / "CITATION.cff")
    assert citation["version"] == spacy_rnn.__version__ == PACKAGE["Version"]
    assert citation["license"] == PACKAGE["License-Expression"]
    urls = dict(url.split(", ") for url in PACKAGE.get_all("Project-URL"))
    assert citation["repository-code"] == urls["Homepage"]
    assert all(url.startswith(urls["Homepage"]) for url in urls.values())


def test_the_changelog_has_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    versions = re.findall(r"^## \[(.+)\] - (\d{4}-\d\d-\d\d|unreleased)$", text, re.MULTILINE)
    assert versions[0][0] == spacy_rnn.__version__
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms(path):
    form = read(path)
    if path.stem == "config":
        assert set(form) == {"blank_issues_enabled", "contact_links"}
        return
    assert form["name"] and form["description"]
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids) and all(part["attributes"]["label"] for part in form["body"])
