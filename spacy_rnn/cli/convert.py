"""python -m spacy rnn convert: data files as spaCy's binary files."""

from hashlib import sha1
from pathlib import Path
from typing import Annotated, Dict

from spacy.tokens import Doc, DocBin
from typer import Argument, Option
from wasabi import msg

from ..atomic import replace_file
from ..text_files import ending_of
from .data_options import (
    DataOptions,
    LangOption,
    TargetOption,
    TaskOption,
    detect_data,
    language_of,
    with_options,
)
from .io import fail

ENDING = ".spacy"


@with_options(DataOptions)
def convert_cli(
    input_path: Annotated[Path, Argument(help="File or folder with annotated texts")],
    output_path: Annotated[
        Path, Argument(help="File to write, .spacy, or a folder; with --split a folder")
    ],
    task: TaskOption = None,
    lang: LangOption = "en",
    target_path: TargetOption = None,
    split: Annotated[
        float,
        Option(
            "--split",
            help="Share of the documents to write to dev.spacy, such as 0.1; the others go to "
            "train.spacy",
        ),
    ] = 0.0,
    *,
    options: DataOptions,
) -> None:
    """Convert annotated texts to spaCy's binary format.

    The format, the columns and the task are guessed from the file. What was guessed is printed, and
    each guess has an option.
    """
    if not 0 <= split < 1:
        fail(f"--split must be at least 0 and less than 1, got {split}.")
    nlp = language_of(lang)()
    outputs = _outputs(input_path, output_path, split)
    file = detect_data(input_path, task, options, target_path)
    for line in file.describe():
        msg.info(line)
    # Extensions, such as translations, are user data.
    bins = {part: DocBin(store_user_data=True) for part in outputs}
    for doc in file.read(nlp):
        bins[_part_of(doc, split)].add(doc)
    numbers, *problems = file.counts.lines()
    for line in problems:
        (msg.info if line.startswith("labels") else msg.warn)(line)
    for part, path in outputs.items():
        if not len(bins[part]):
            fail(f"No document is left for {path}. Change --split.")
    for part, path in outputs.items():
        with replace_file(path) as written:
            bins[part].to_disk(written)
        msg.good(f"Wrote {path}: {len(bins[part])} documents")
    msg.good(f"Read {numbers}")


def _outputs(source: Path, target: Path, split: float) -> Dict[str, Path]:
    """The output file of each part."""
    from ..readers.formats import FORMATS

    inputs = {ending for form in FORMATS for ending in form.endings} - {ENDING}
    if ending_of(target) in inputs and not target.is_dir():
        fail(
            f"The output is a {ENDING} file or a folder, but {target} has the name of an input. "
            f"Convert one input at a time, such as to {target.parent / _stem(target)}{ENDING}."
        )
    if split:
        if target.suffix == ENDING:
            fail(f"With --split, the output is a folder, but it is {target}.")
        return {"train": target / f"train{ENDING}", "dev": target / f"dev{ENDING}"}
    if target.suffix == ENDING:
        return {"train": target}
    return {"train": target / f"{_stem(source)}{ENDING}"}


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _part_of(doc: Doc, split: float) -> str:
    """The part of a document: the same in every run, and the same for equal texts."""
    number = int(sha1(doc.text.encode("utf8")).hexdigest()[:8], 16) / 16**8
    return "dev" if number < split else "train"
