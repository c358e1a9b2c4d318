"""python -m spacy rnn select: the texts to label next."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, Iterator, List, Optional

from spacy.cli._util import import_code
from spacy.language import Language
from tqdm import tqdm
from typer import Argument, Option
from wasabi import msg

from .data_options import TextOptions, TextsArgument, with_options
from .io import (
    STANDARD,
    batch_size_option,
    check_ending,
    code_option,
    component_option,
    fail,
    get_component,
    gpu_option,
    load,
    use_gpu,
)

if TYPE_CHECKING:
    from ..analysis.selection import Selection

ENDINGS = (".jsonl", ".json")


@with_options(TextOptions)
def select_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
    texts: TextsArgument,
    n_texts: Annotated[int, Option("--n-texts", "-n", help="Number of texts to choose")] = 100,
    output: Annotated[
        Path,
        Option(
            "--output",
            "-o",
            help="File for the chosen texts: .jsonl, or .json with a list; - for JSON lines on "
            "standard output",
        ),
    ] = Path(STANDARD),
    strategy: Annotated[
        str,
        Option("--strategy", help="Measure of uncertainty: least-confidence, margin or entropy"),
    ] = "least-confidence",
    format: Annotated[
        str,
        Option(
            "--format",
            "-f",
            help="Also write the answers of the pipeline, to be corrected, as this tool reads "
            "them: prodigy, doccano or label-studio",
        ),
    ] = "",
    max_similarity: Annotated[
        float,
        Option(
            "--max-similarity",
            help="Similarity, from 0 to 1, up to which two texts are both chosen",
        ),
    ] = 0.6,
    component: Annotated[Optional[str], component_option("component")] = None,
    batch_size: Annotated[
        Optional[int], batch_size_option("Texts in a batch; omit for the pipeline's own")
    ] = None,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
    *,
    options: TextOptions,
) -> None:
    """Choose the texts that are worth labeling by hand: those about which a component is most
    uncertain, without near copies.

    Texts are read one batch after the other, so that the file may be larger than memory.
    """
    from ..analysis.selection import Selection
    from ..analysis.uncertainty import UNCERTAIN, text_uncertainties
    from ..readers.formats.annotation_tools import WRITERS
    from .texts import read_texts

    standard = sys.stdout
    if format not in WRITERS:
        fail(f"--format must be one of {', '.join(filter(None, WRITERS))}, got '{format}'.")
    if str(output) != STANDARD:
        check_ending(output, ENDINGS)
    # Texts on standard output are not mixed with messages.
    with redirect_stdout(sys.stderr):
        import_code(code)
        use_gpu(gpu_id)
        nlp = load(model)
        kinds: Any = UNCERTAIN
        names = "tagger, entity recognizer, text classifier or translator of this package"
        pipe = get_component(nlp, kinds, names, component)
        if pipe.name in nlp.disabled:
            nlp.enable_pipe(pipe.name)
        if format and not {"doc.ents", "doc.cats"} & {*nlp.get_pipe_meta(pipe.name).assigns}:
            fail(
                f"--format is for entity recognizers and text classifiers, but '{pipe.name}' is "
                f"none. Leave it out, to write the texts only."
            )
        found = Selection()
        read = found.usable(read_texts(texts, options), nlp.max_length)
        measure: Any = strategy
        scored = text_uncertainties(nlp, pipe.name, read, measure, batch_size or nlp.batch_size)
        found.choose(tqdm(scored, unit=" texts", disable=None), n_texts, max_similarity)
        if not found.choices:
            fail(f"{texts} has no text to choose ({_numbers(found)}). Check the path.")
        tasks = list(_tasks(nlp, pipe, found, strategy, WRITERS[format]))
        if str(output) != STANDARD:
            _write(tasks, output)
        if len(found.choices) < n_texts:
            msg.warn(f"There are only {len(found.choices)} texts to choose from.")
        msg.info(_numbers(found))
    if str(output) == STANDARD:
        standard.writelines(_lines(tasks))


def _numbers(found: "Selection") -> str:
    left_out = {
        "empty": found.empty,
        "too long for the pipeline": found.too_long,
        "near copies of chosen ones": found.near_copies,
    }
    reasons = "; ".join(f"{reason}: {n:,}" for reason, n in left_out.items() if n)
    numbers = f"texts read: {found.texts:,}; chosen: {len(found.choices):,}"
    return f"{numbers}; left out: {reasons}" if reasons else numbers


def _tasks(
    nlp: Language, pipe: Any, found: "Selection", strategy: str, write: Any
) -> Iterator[Dict[str, Any]]:
    """The chosen texts as an annotation tool reads them."""
    docs = nlp.pipe(choice.text for choice in found.choices)
    for choice, doc in zip(found.choices, docs, strict=True):
        meta = {"uncertainty": round(choice.uncertainty, 6), "strategy": strategy}
        yield write(choice.text, meta, _suggestion(nlp, pipe, doc))


def _suggestion(nlp: Language, pipe: Any, doc: Any) -> Any:
    """The answer of a component for a document."""
    from ..pipeline.predictions import EXCLUSIVE
    from ..readers.formats.annotation_tools import Suggestion

    meta = nlp.get_pipe_meta(pipe.name)
    if "doc.cats" not in meta.assigns:
        return Suggestion([(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents])
    p = {label: doc.cats[label] for label in pipe.labels}
    if meta.factory in EXCLUSIVE:
        return Suggestion(options=pipe.labels, chosen=[max(p, key=lambda label: p[label])])
    chosen = [label for label in p if p[label] >= pipe.cfg["threshold"]]
    return Suggestion(options=pipe.labels, chosen=chosen)


def _write(tasks: List[Dict[str, Any]], output: Path) -> None:
    from ..atomic import replace_file

    with replace_file(output) as part, part.open("w", encoding="utf8", newline="\n") as file:
        if output.suffix.lower() == ".json":
            json.dump(tasks, file, ensure_ascii=False, indent=2)
        else:
            file.writelines(_lines(tasks))
    msg.good(f"Wrote {output}")


def _lines(tasks: List[Dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(task, ensure_ascii=False) + "\n" for task in tasks)
