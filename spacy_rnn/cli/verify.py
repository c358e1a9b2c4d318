"""python -m spacy rnn verify: whether a pipeline is as it was saved."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from spacy.language import Language
from typer import Argument
from wasabi import msg

from ..display.strings import shorten
from .io import load

#: labels of a component that are shown
_SHOWN = 8
#: parts of a pipeline that have no checksums
_UNCHECKED = ("tokenizer", "vocabulary", "config")


def verify_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
) -> None:
    """Check that the components of spacy-rnn in a pipeline are as they were saved, and describe the
    pipeline.

    The files of each of them are compared with their checksums, and its labels, settings and
    weights with each other. Exits with code 1 and names the file if one is damaged or belongs to
    another component. Other components, the tokenizer, the vocabulary and the config have no
    checksums: they only have to load. Checksums detect accidental damage; to detect tampering, sign
    the folder of the pipeline.
    """
    from ..pipeline.storing import StoredPipe

    nlp = load(model)
    folder = Path(nlp.path)
    msg.divider(f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}")
    msg.table(list(_about(nlp)))
    checked = [name for name, pipe in nlp.components if isinstance(pipe, StoredPipe)]
    msg.divider("Components")
    header = ("", "factory", "MB", "cfg", "model", "labels")
    rows = [_row(nlp, name, folder / name) for name in nlp.component_names]
    msg.table(rows, header=header, divider=True)
    others = [name for name in nlp.component_names if name not in checked]
    msg.info(f"Without checksums: {', '.join([*others, *_UNCHECKED])}")
    msg.good(f"As they were saved: {', '.join(checked) or 'none'}")


def _about(nlp: Language) -> Iterator[Tuple[str, str]]:
    """Where the pipeline is from, by the files that were saved with it."""
    yield "folder", str(nlp.path)
    for name in ("description", "author", "license"):
        if nlp.meta.get(name):
            yield name, str(nlp.meta[name])
    yield "saved with", f"spaCy {nlp.meta['spacy_version']}"
    here = ("spacy-rnn", "spacy", "thinc")
    yield "loaded with", ", ".join(f"{name} {version(name)}" for name in here)
    for name, corpus in nlp.config.interpolate()["corpora"].items():
        path = corpus.get("path") if isinstance(corpus, Mapping) else None
        yield f"corpus '{name}'", str(path or "unknown")
    scores: Dict[str, Any] = nlp.meta.get("performance", {})
    numbers = [f"{n} {value:.3f}" for n, value in scores.items() if isinstance(value, float)]
    yield "scores", ", ".join(numbers) or "unknown"


def _row(nlp: Language, name: str, folder: Path) -> Sequence[str]:
    """The row of a component in the table."""
    from ..checksums import check_folder
    from ..pipeline.storing import StoredPipe

    pipe = nlp.get_pipe(name)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    checksums: Mapping[str, str] = {}
    if isinstance(pipe, StoredPipe):
        checksums = check_folder(folder, type(pipe).__name__)["checksums"]
    labels: List[str] = [str(label) for label in getattr(pipe, "labels", ())]
    shown = ", ".join(map(shorten, labels[:_SHOWN])) + ", ..." * (len(labels) > _SHOWN)
    return (
        name,
        nlp.get_pipe_meta(name).factory,
        f"{sum(sizes) / 1e6:.2f}",
        checksums.get("cfg", "-"),
        checksums.get("model", "-"),
        f"{len(labels)}: {shown}" if labels else "-",
    )
