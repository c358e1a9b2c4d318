"""Results of a pipeline for texts, in files."""

from itertools import chain, islice
from pathlib import Path
from typing import Iterable, Iterator, TextIO

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..atomic import replace_file
from ..pipeline.predictions import LINES, predictions_of

ENDINGS = (*LINES, ".spacy")
#: the number of batches after which the vocabulary forgets new words
BATCHES_PER_ZONE = 20


def annotate(
    nlp: Language, texts: Iterable[str], batch_size: int, n_process: int = 1
) -> Iterator[Doc]:
    """Apply a pipeline to texts, in memory that does not grow with their number.

    nlp (Language): The pipeline.
    texts (Iterable[str]): The texts.
    batch_size (int): The number of texts in a batch.
    n_process (int): The number of processes. With several, the vocabulary grows with new words.
    YIELDS (Doc): The documents. Each is valid until the next one is requested.
    """
    if n_process != 1:
        yield from nlp.pipe(texts, batch_size=batch_size, n_process=n_process)
        return
    texts = iter(texts)
    for first in texts:
        zone = chain([first], islice(texts, BATCHES_PER_ZONE * batch_size - 1))
        with nlp.memory_zone():
            yield from nlp.pipe(zone, batch_size=batch_size)


def write_to_standard_output(nlp: Language, docs: Iterable[Doc], stream: TextIO) -> None:
    """Write the results of a pipeline to a stream: translations, if it makes nothing else, or JSON
    lines."""
    predictions = predictions_of(nlp)
    translates = [prediction.is_text for prediction in predictions] == [True]
    for line in LINES[".txt" if translates else ".jsonl"](docs, predictions):
        stream.write(line + "\n")


def write_to_file(nlp: Language, docs: Iterable[Doc], path: Path) -> None:
    """Write the results of a pipeline to a file, whole or not at all, in the format of its
    ending."""
    ending = path.suffix.lower()
    with replace_file(path) as part:
        if ending == ".spacy":
            DocBin(docs=docs, store_user_data=True).to_disk(part)
        else:
            with part.open("w", encoding="utf8", newline="\n") as file:
                file.writelines(line + "\n" for line in LINES[ending](docs, predictions_of(nlp)))
