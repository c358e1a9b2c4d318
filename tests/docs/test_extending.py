"""The package on the page about extending is installed, and its tests pass."""

import os
import re
import subprocess
import sys

import pytest

from ..helpers.pages import DOCS, parts
from ..helpers.paths import ROOT

PAGE = DOCS / "how-to" / "extending.md"
BLOCKS = [b for b in parts(PAGE).blocks if b.language in ("python", "toml")]


def file_name(block):
    """The first line of a block names its file."""
    return re.match(r"# (\S+\.(?:py|toml))\n", block.text)[1]


def run(folder, *arguments):
    """Run Python in the folder; its packages are found as if they were installed."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_tests_of_the_package_pass(tmp_path):
    files = {file_name(block): block.text for block in BLOCKS}
    assert len(files) == len(BLOCKS)
    for name, text in {**files, "my_parts/__init__.py": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf8")
    run(tmp_path, "-c", "from setuptools import setup; setup()", "-q", "egg_info")
    run(tmp_path, "-m", "pytest", "-q", "tests")
