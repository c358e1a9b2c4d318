"""python -m spacy rnn compress: a pipeline that ONNX Runtime runs."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, Iterator, List, Optional

from spacy.language import Language
from spacy.tokens import Doc
from typer import Argument, Option
from wasabi import msg, table

from .data_options import TextOptions, with_options
from .io import fail, load, model_argument, size_of

if TYPE_CHECKING:
    from ..analysis.compression import Compression, Speed


@with_options(TextOptions)
def compress_cli(
    model: Annotated[str, model_argument("components of spacy-rnn")],
    output: Annotated[
        Path, Argument(help="Folder for the compressed pipeline, which must not exist")
    ],
    int8: Annotated[
        bool,
        Option("--int8", help="Compute with 8-bit integers, and store weights as 8-bit integers"),
    ] = False,
    texts: Annotated[
        Optional[Path],
        Option("--texts", help="Typical texts: one on each line, a .csv or .tsv table, or .jsonl"),
    ] = None,
    corpus: Annotated[
        Optional[Path], Option("--corpus", help="Typical documents, a .spacy file")
    ] = None,
    min_agreement: Annotated[
        float,
        Option("--min-agreement", help="Smallest share of equal predictions that is accepted"),
    ] = 0.998,
    force: Annotated[bool, Option("--force", help="Accept any agreement")] = False,
    *,
    options: TextOptions,
) -> None:
    """Write a pipeline that predicts with ONNX Runtime and cannot be trained. Its taggers, entity
    recognizers, classifiers and regressors do not need torch.

    Prints the size and speed of both pipelines, the share of predictions on which they agree, and
    the largest difference between their probabilities or numbers. Writes nothing if too few
    predictions agree. Components that cannot be compressed stay as they are.
    """
    from ..analysis.compression import agreement, bleu, compress, largest_difference, run
    from ..pipeline.translator import RNNTranslator
    from .texts import read_texts

    if output.exists():
        fail(f"'{output}' exists already. Choose another folder.")
    nlp = load(model)
    found_texts = None
    if texts is not None:
        found_texts = read_texts(texts, options)
    docs = _read(nlp, found_texts, corpus)
    before, torch_speed = run(nlp, docs)
    found = compress(nlp, before, int8)
    compressed = [name for name in found if found[name].graphs]
    for name in found.keys() - compressed:
        msg.warn(f"'{name}' stays as it is. {found[name].reason}")
    if not compressed:
        fail("The pipeline has no component that can be compressed.")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        written = Path(folder) / output.name
        nlp.to_disk(written)
        new = load(str(written))
        after, onnx_speed = run(new, docs)
        sizes = [size_of(path) for path in (nlp.path, written)]
        print(_table(sizes, [torch_speed, onnx_speed]))
        print(f"size_ratio {sizes[1] / sizes[0]:.2f}\n")
        agreements, differences = {}, {}
        for name in compressed:
            pipes = nlp.get_pipe(name), new.get_pipe(name)
            agreements[name] = agreement(pipes[0], before, after)
            differences[name] = largest_difference(pipes, before, after)
        _print_components(found, agreements, differences)
        for name in compressed:
            pipe = nlp.get_pipe(name)
            if isinstance(pipe, RNNTranslator):
                _print_bleu(name, bleu(pipe, docs, before), bleu(pipe, docs, after))
        low = [n for n, share in agreements.items() if share is None or share < min_agreement]
        if low and not force:
            fail(
                f"Too few predictions agree for {', '.join(low)}, so nothing was written. "
                f"Leave out --int8, lower --min-agreement ({min_agreement}), or use --force."
            )
        written.rename(output)
    msg.good(f"Wrote {output}")


def _read(nlp: Language, texts: Optional[Iterator[str]], corpus: Optional[Path]) -> List[Doc]:
    """Read documents, tokenized and without annotation."""
    from ..readers.docs import read_docs

    if texts is not None and corpus is None:
        docs = [nlp.make_doc(text) for text in texts if text.strip()]
    elif corpus is not None and texts is None:
        docs = list(read_docs(corpus, nlp.vocab))
    else:
        fail("Give typical texts by one of --texts and --corpus.")
    if not docs:
        fail("There are no typical texts. Check --texts or --corpus.")
    return docs


def _table(sizes: List[int], speeds: List["Speed"]) -> str:
    rows = [
        (name, f"{size / 1e6:.2f}", f"{speed.words:,.0f}", f"{speed.milliseconds:.2f}")
        for name, size, speed in zip(("torch", "onnx"), sizes, speeds, strict=True)
    ]
    header = ("engine", "MB of the folder", "words/s", "ms of a text")
    aligns: Any = ("l", "r", "r", "r")
    return table(rows, header=header, divider=True, aligns=aligns)


def _print_components(
    found: Dict[str, "Compression"],
    agreements: Dict[str, Optional[float]],
    differences: Dict[str, Optional[float]],
) -> None:
    rows = [
        (
            name,
            f"{found[name].weights / 1e6:.2f}",
            f"{found[name].graphs / 1e6:.2f}",
            "no predictions" if share is None else f"{share:.4f}",
            "-" if differences[name] is None else f"{differences[name]:.1e}",
        )
        for name, share in agreements.items()
    ]
    header = ("component", "MB of weights", "MB of graphs", "agreement", "difference")
    aligns: Any = ("l", *"rrrr")
    print(table(rows, header=header, divider=True, aligns=aligns))


def _print_bleu(name: str, torch: Optional[float], onnx: Optional[float]) -> None:
    if torch is not None and onnx is not None:
        print(f"BLEU of '{name}': {100 * torch:.2f} by torch, {100 * onnx:.2f} by ONNX Runtime\n")
