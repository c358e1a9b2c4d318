"""Formats in which a document is a line, a paragraph or a file."""

from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List

from ...text_files import ending_of, open_text, read_lines
from .base import SENTENCE_ENDS, ReadCounts, Row, RowFormat, Start, pair_config

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the prefix of labels in files of fastText
PREFIX = "__label__"
#: the number of lines that show whether texts have several labels
N_LINES = 1000
TEXT = ".txt"


class FastText(RowFormat):
    """A text in each line, with labels such as `__label__sports`."""

    name = "fasttext"
    settings = ()

    def fits(self, start: Start) -> bool:
        lines = [line for line in start.lines if line.strip()]
        return sum(PREFIX in line for line in lines) > len(lines) / 2

    def complete(self, file: "DataFile") -> "DataFile":
        labels = [row["labels"] for _, row in islice(self.rows(file, ReadCounts()), N_LINES)]
        several = any(len(of_text) != 1 for of_text in labels)
        task = file.task or ("textcat_multilabel" if several else "textcat")
        return file.guessed(task=task, columns={"text": "text", "labels": "labels"})

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        for number, line in enumerate(read_lines(file.path, file.encoding), start=1):
            words = line.split(" ")
            text = " ".join(word for word in words if not word.startswith(PREFIX))
            labels = [word.removeprefix(PREFIX) for word in words if word.startswith(PREFIX)]
            yield f"line {number}", {"text": text.strip(), "labels": labels}


class Folders(RowFormat):
    """A folder for each label, with a text in each of its `.txt` files."""

    name = "folders"
    settings = ()

    def fits(self, start: Start) -> bool:
        return start.path.is_dir() and any(
            ending_of(path) == TEXT for path in start.path.glob("*/*")
        )

    def complete(self, file: "DataFile") -> "DataFile":
        names = [path.name for path in sorted(file.path.iterdir()) if path.is_dir()]
        return file.guessed(
            f"labels: the folders {', '.join(names)}",
            task=file.task or "textcat",
            columns={"text": "text", "label": "label"},
        )

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        for path in sorted(file.path.glob("*/*")):
            if ending_of(path) == TEXT:
                with open_text(path, file.encoding) as opened:
                    text = opened.read().strip()
                place = str(path.relative_to(file.path))
                yield place, {"text": text, "label": path.parent.name}


class Aligned(RowFormat):
    """Two files: each line of one is the translation of the same line of the other."""

    name = "aligned"
    settings = ("target_path",)

    def fits(self, start: Start) -> bool:
        return False  # chosen by target_path

    def complete(self, file: "DataFile") -> "DataFile":
        if file.target_path is None:
            raise ValueError("The format 'aligned' needs target_path, the file of translations.")
        columns: Dict[str, Any] = {"text": "text", "translation": "translation"}
        return file.guessed(task=file.task or "translator", columns=columns)

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        from spacy.vocab import Vocab

        from ..parallel import ParallelCorpus

        corpus = ParallelCorpus(file.path, target_path=file.target_path, encoding=file.encoding)
        for number, (text, translation) in enumerate(corpus.pairs(Vocab()), start=1):
            yield f"line {number}", {"text": text, "translation": translation}

    def reader_config(self, file: "DataFile", path: str) -> Dict[str, Any]:
        return pair_config(file, path, target_path=str(file.target_path))


class _Texts(RowFormat):
    """Texts without annotation, for language models and for prediction."""

    settings = ()

    def complete(self, file: "DataFile") -> "DataFile":
        if file.task not in (None, "lm"):
            raise ValueError(
                f"{file.path} was taken for texts without annotation, which the task {file.task} "
                f"needs. Set format, or write the file in another format."
            )
        return file.guessed(task="lm", columns={"text": "text"})


class Paragraphs(_Texts):
    """Texts with empty lines between them."""

    name = "paragraphs"

    def fits(self, start: Start) -> bool:
        blocks = [block.split("\n") for _, block in _blocks(start.lines)]
        # Sentences end with a line in files with a text in each line.
        inner = [line for block in blocks for line in block[:-1]]
        n_sentences = sum(line.rstrip().endswith(SENTENCE_ENDS) for line in inner)
        return len(blocks) > 1 and n_sentences < len(inner) / 2

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        for number, text in _blocks(read_lines(file.path, file.encoding)):
            yield f"line {number}", {"text": text}


class Lines(_Texts):
    """A text in each line."""

    name = "lines"
    endings = (TEXT,)

    def fits(self, start: Start) -> bool:
        return bool(start.lines)

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        for number, line in enumerate(read_lines(file.path, file.encoding), start=1):
            yield f"line {number}", {"text": line.strip()}


def _blocks(lines: Any) -> Iterator[Any]:
    """The number of the first line, and the text, of each paragraph."""
    block: List[str] = []
    number = 0
    for number, line in enumerate(lines, start=1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), "\n".join(block)
            block = []
    if block:
        yield number - len(block) + 1, "\n".join(block)
