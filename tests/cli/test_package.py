"""python -m spacy rnn package."""

import sys
import sysconfig
import zipfile
from importlib.metadata import distribution

import pytest
import srsly

from spacy_rnn.cli.wheel import write_wheel

from ..helpers.cli import run, shown
from ..helpers.installed import call
from ..helpers.paths import ROOT
from ..helpers.pipelines import make_trained

VERSION = distribution("spacy-rnn").version


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """The output of the command, and the folder of the wheels."""
    folder = tmp_path_factory.mktemp("packages")
    make_trained("rnn_tagger").to_disk(folder / "model")
    options = ("--name", "demo", "--version", "1.2.3")
    printed = run("rnn", "package", folder / "model", folder / "new packages", *options)
    return printed, folder / "new packages" / "xx_demo-1.2.3" / "dist"


def test_both_wheels_and_how_to_install_them(packaged):
    printed, dist = packaged
    own, model = f"spacy_rnn-{VERSION}-py3-none-any.whl", "xx_demo-1.2.3-py3-none-any.whl"
    assert {path.name for path in dist.iterdir()} == {own, model, "requirements.txt"}
    assert f"pip install --find-links '{dist}' '{dist / model}'" in printed
    assert (dist / "requirements.txt").read_text().splitlines() == [
        "--find-links .",
        f"spacy_rnn=={VERSION}",
        "xx_demo==1.2.3",
    ]
    assert "running" not in printed and "adding" not in printed
    requirements = srsly.read_json(dist.parent / "meta.json")["requirements"]
    assert any(each.startswith(f"spacy-rnn>={VERSION}") for each in requirements)


@pytest.mark.slow
@pytest.mark.parametrize("by_requirements", [False, True])
def test_pip_installs_them_without_an_index(by_requirements, packaged, tmp_path):
    _, dist = packaged
    what = [f"--find-links={dist}", *dist.glob("xx_demo*")]
    # Without an index, only the wheels themselves are found.
    what = ["-r", dist / "requirements.txt"] if by_requirements else [*what, *dist.glob("spacy*")]
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps"]
    call(*pip, "--quiet", "--target", tmp_path / "site", *what)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
sys.path.append({sysconfig.get_path("purelib")!r})
import spacy, spacy_rnn
print(spacy_rnn.__file__)
print([token.tag_ for token in spacy.load("xx_demo")("She eats one ham .")])
"""
    output = call(sys.executable, "-c", code, cwd=tmp_path).splitlines()
    assert output[0].startswith(str(tmp_path / "site"))
    assert output[1] == "['PRP', 'VBZ', 'CD', 'NN', '.']"


@pytest.mark.slow
def test_the_wheel_is_the_same_as_a_built_one(tmp_path):
    (tmp_path / "own").mkdir()
    own = write_wheel(distribution("spacy-rnn"), ROOT / "spacy_rnn", tmp_path / "own")
    files = {name: zipfile.ZipFile(own).read(name) for name in zipfile.ZipFile(own).namelist()}
    modules = {p.relative_to(ROOT).as_posix(): p for p in (ROOT / "spacy_rnn").rglob("*.py")}
    assert modules.items() <= {name: modules.get(name) for name in files}.items()
    assert all(files[name] == path.read_bytes() for name, path in modules.items())
    info = f"spacy_rnn-{VERSION}.dist-info"
    others = {name for name in files if name not in modules}
    assert others == {
        "spacy_rnn/py.typed",
        "spacy_rnn/serve/page.html",
        f"{info}/METADATA",
        f"{info}/WHEEL",
        f"{info}/RECORD",
        f"{info}/entry_points.txt",
        f"{info}/licenses/LICENSE",
    }
    # The package that was installed from this wheel gives the same wheel.
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet"]
    call(*pip, "--target", tmp_path / "site", own)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
sys.path.append({sysconfig.get_path("purelib")!r})
from importlib.metadata import distribution
from pathlib import Path
from spacy_rnn.cli.wheel import write_wheel
site = Path({str(tmp_path / "site")!r})
write_wheel(distribution("spacy-rnn"), site / "spacy_rnn", Path({str(tmp_path)!r}))
"""
    call(sys.executable, "-c", code, cwd=tmp_path)
    assert (tmp_path / own.name).read_bytes() == own.read_bytes()


def test_the_engine_onnx_needs_its_extra(tmp_path, monkeypatch):
    (tmp_path / "texts.txt").write_text("She eats one ham .\nEggs !\n")
    make_trained("rnn_tagger").to_disk(tmp_path / "model")
    small = tmp_path / "small"
    run("rnn", "compress", tmp_path / "model", small, "--texts", tmp_path / "texts.txt", "--force")
    run("rnn", "package", small, tmp_path / "packages")
    (meta,) = tmp_path.glob("packages/*/meta.json")
    requirements = srsly.read_json(meta)["requirements"]
    own = [each for each in requirements if each.startswith("spacy-rnn")]
    assert len(own) == 1 and own[0].startswith(f"spacy-rnn[onnx]>={VERSION},<")
    (wheel,) = tmp_path.glob("packages/*/dist/xx_*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        assert "Requires-Dist: spacy-rnn[onnx]" in archive.read(metadata).decode()


def test_an_existing_package_is_only_replaced_with_force(packaged, tmp_path):
    _, dist = packaged
    packages, model = dist.parents[1], dist.parents[2] / "model"
    options = ("--name", "demo", "--version", "1.2.3")
    run("rnn", "package", model, packages, *options, code=1)
    run("rnn", "package", model, packages, *options, "--force")
    assert len([*dist.iterdir()]) == 3


def test_a_folder_without_a_pipeline(tmp_path):
    printed = run("rnn", "package", tmp_path, tmp_path / "packages", code=1)
    assert "meta.json" in shown(printed)
