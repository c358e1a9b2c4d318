"""python -m spacy rnn package: a pipeline as a package, with the wheel of spacy-rnn beside it."""

import shlex
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional

import srsly
from spacy.cli import package
from spacy.util import get_minor_version_range, load_config
from typer import Argument, Option
from wasabi import msg

from .io import check_pipeline
from .wheel import write_wheel

#: the name of this distribution
NAME = "spacy-rnn"
#: the file with which pip installs both wheels
REQUIREMENTS = "requirements.txt"


def package_cli(
    input_dir: Annotated[
        Path, Argument(help="Folder of the pipeline", exists=True, file_okay=False)
    ],
    output_dir: Annotated[Path, Argument(help="Folder for the package", file_okay=False)],
    name: Annotated[
        Optional[str], Option("--name", help="Name of the package, without the language")
    ] = None,
    version: Annotated[Optional[str], Option("--version", help="Version of the package")] = None,
    code: Annotated[
        Optional[List[Path]],
        Option("--code", help="Python file with registered functions to include, or several"),
    ] = None,
    meta: Annotated[
        Optional[Path],
        Option("--meta-path", help="Path to another meta.json", exists=True, dir_okay=False),
    ] = None,
    create_meta: Annotated[
        bool, Option("--create-meta", help="Ask for the contents of meta.json")
    ] = False,
    force: Annotated[
        bool, Option("--force", "-F", help="Replace a package that is already there")
    ] = False,
) -> None:
    """Make a package of a pipeline that can be installed without an index that has spacy-rnn.

    Makes the package as 'spacy package' does, with the wheels of the pipeline and of spacy-rnn
    itself in its folder 'dist'. Prints the command that installs both.
    """
    check_pipeline(input_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        meta_path = Path(folder) / "meta.json"
        srsly.write_json(meta_path, _complete_meta(input_dir, meta or input_dir / "meta.json"))
        package(
            input_dir,
            output_dir,
            meta_path=meta_path,
            code_paths=code or [],
            name=name,
            version=version,
            create_meta=create_meta,
            create_sdist=False,
            require_parent=True,
            force=force,
            silent=False,
        )
    # Its name may have been typed just now.
    written = max(output_dir.glob("*/meta.json"), key=lambda path: path.stat().st_mtime).parent
    dist = written / "dist"
    dist.mkdir(exist_ok=True)
    wheel = _build_wheel(written, dist)
    own = write_wheel(distribution(NAME), Path(__file__).parents[1], dist)
    requirements = [
        f"{path.name.split('-')[0]}=={path.name.split('-')[1]}" for path in (own, wheel)
    ]
    (dist / REQUIREMENTS).write_text("\n".join(["--find-links .", *requirements, ""]), "utf8")
    msg.good(f"Wrote {wheel} and, beside it, {own.name}")
    msg.text("Install both with this command:")
    # Not printed by wasabi, which wraps lines.
    print(f"pip install --find-links {shlex.quote(str(dist))} {shlex.quote(str(wheel))}")


def _complete_meta(input_dir: Path, path: Path) -> Dict[str, Any]:
    """Read meta.json, and add the extra that components with an engine other than torch need."""
    try:
        meta = srsly.read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} can't be read. Give the folder of a pipeline.") from error
    components = load_config(input_dir / "config.cfg")["components"].values()
    if any(component.get("engine") == "onnx" for component in components):
        requirements = meta.setdefault("requirements", [])
        version = get_minor_version_range(distribution(NAME).version)
        requirements[:] = [each for each in requirements if not each.startswith(NAME)]
        requirements.append(f"{NAME}[onnx]{version}")
    return meta


def _build_wheel(source: Path, dist: Path) -> Path:
    """Build the wheel of the package of a pipeline, and return its path."""
    # Setuptools that is installed need not be downloaded.
    isolation = ["--no-build-isolation"] if find_spec("setuptools") else []
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", *isolation]
    done = subprocess.run(
        [*command, "--wheel-dir", str(dist), str(source)], capture_output=True, text=True
    )
    if done.returncode:
        raise ValueError(f"The wheel could not be built:\n{done.stdout}{done.stderr}")
    return max(dist.glob("*.whl"), key=lambda path: path.stat().st_mtime)
