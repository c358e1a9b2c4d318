"""Pairs of a text and its translation, from the formats that parallel corpora come in."""

from collections import Counter
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Tuple, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.corpus import walk_corpus
from spacy.util import ensure_path
from spacy.vocab import Vocab

from ..extensions import set_doc_extension
from ..text_files import COMPRESSED, ending_of, read_json, read_lines
from ..validation import at_least, number_at_least
from .sources import is_saved, load_saved
from .tables import RULES, TableFormat, check_table, read_rows
from .text_io import Drops, checked_text

TABLES = (*RULES, ".txt")
JSON_LINES = (".jsonl", ".json")
DOCS = ".spacy"


def make_parallel_corpus(
    path: Optional[Path],
    target_path: Optional[Path] = None,
    source: str = "source",
    target: str = "target",
    source_column: int = 0,
    target_column: int = 1,
    attr: str = "translation",
    max_length: int = 0,
    max_ratio: float = 0.0,
    limit: int = 0,
    delimiter: Optional[str] = None,
    header: bool = False,
    quotes: Optional[bool] = None,
    encoding: str = "utf-8",
) -> "ParallelCorpus":
    """spacy_rnn.ParallelCorpus.v1: see `ParallelCorpus`."""
    if path is None:
        raise ValueError(Errors.E913)
    return ParallelCorpus(
        path,
        target_path=target_path,
        source=source,
        target=target,
        source_column=source_column,
        target_column=target_column,
        attr=attr,
        max_length=max_length,
        max_ratio=max_ratio,
        limit=limit,
        delimiter=delimiter,
        header=header,
        quotes=quotes,
        encoding=encoding,
    )


class ParallelCorpus:
    """Iterate Example objects over texts whose translation stands in a Doc extension, by default
    `doc._.translation`.

    The format shows in the path:

    * `.tsv` or `.txt`: a pair a line, its columns separated by a TAB; quotes are text;
    * `.csv`: a pair a row, its columns separated by a comma and possibly quoted (RFC 4180);
    * any two files, `path` and `target_path`: line N of one translates line N of the other;
    * `.jsonl` or `.json`: a JSON object a line, {"source": "...", "target": "..."}, or with the two
      one level deeper, {"translation": {"en": "...", "fr": "..."}}; `.json` may also be a list of
      them;
    * `.spacy` files or a folder of them: docs with the extension, saved with
      DocBin(store_user_data=True);
    * a folder that `save_to_disk` of the library datasets wrote, with columns as in JSON.

    Files of text may be compressed (`.gz`, `.xz`, `.bz2`, `.zst`), and are read a line at a time.
    White space around a text of theirs does not belong to it.

    Pairs that lack a text or exceed a bound are dropped. How many and why is logged at the end of
    each pass: as a warning, or as information where the pass before dropped the same.

    path (Union[str, Path]): The file or folder.
    target_path (Optional[Union[str, Path]]): The file of translations, where they have their own.
    source (str), target (str): The names of the two texts in JSON, datasets and the header of a
        table.
    source_column (int), target_column (int): The columns of the two texts in a table without a
        header, from 0.
    attr (str): Name of the extension.
    max_length (int): Pairs are dropped whose source has more tokens or whose translation has more
        words, as blanks separate them; 0 for no limit.
    max_ratio (float): Pairs are dropped whose longer side has more than this many times the length
        of the shorter, in tokens of the source and words of the translation; 0 for no limit. Not
        for languages that write no blanks between words.
    limit (int): Stop after this many pairs; 0 for no limit.
    delimiter (Optional[str]): What separates the columns of a table; None for a comma in .csv and a
        TAB in others.
    header (bool): Whether the first row of a table names the columns.
    quotes (Optional[bool]): Whether the fields of a table may be between double quotes (RFC 4180);
        if not, quotes are text. None for quotes in .csv only.
    encoding (str): The encoding of files of text, unless a byte-order mark tells another one.
    """

    def __init__(
        self,
        path: Union[str, Path],
        *,
        target_path: Optional[Union[str, Path]] = None,
        source: str = "source",
        target: str = "target",
        source_column: int = 0,
        target_column: int = 1,
        attr: str = "translation",
        max_length: int = 0,
        max_ratio: float = 0.0,
        limit: int = 0,
        delimiter: Optional[str] = None,
        header: bool = False,
        quotes: Optional[bool] = None,
        encoding: str = "utf-8",
    ) -> None:
        at_least(
            0,
            source_column=source_column,
            target_column=target_column,
            max_length=max_length,
            limit=limit,
        )
        if max_ratio != 0:
            number_at_least(1, max_ratio=max_ratio)
        self.path = ensure_path(path)
        self.target_path = ensure_path(target_path)
        self.source = source
        self.target = target
        self.source_column = source_column
        self.target_column = target_column
        self.attr = attr
        self.max_length = max_length
        self.max_ratio = max_ratio
        self.limit = limit
        self.format = TableFormat(delimiter, header, quotes, encoding)
        cure = (
            "Check which texts are read as source and translation, and the bounds of the corpus. "
            "Docs keep their translations only if they are saved with "
            "DocBin(store_user_data=True)."
        )
        self._drops = Drops(self.path, "pairs", cure)

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the data: the source as nlp tokenizes it, and the same with its
        translation. Raises a ValueError where the data is malformed or nothing of it is left.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
        """
        set_doc_extension(self.attr)
        kept, dropped = 0, Counter[str]()
        for source, translation in self.pairs(nlp.vocab):
            if not str(source).strip():
                dropped["without a source"] += 1
                continue
            if not translation.strip():
                dropped["without a translation"] += 1
                continue
            example = _make_example(nlp, source)
            excess = self._excess(len(example.predicted), len(translation.split()))
            if excess:
                dropped[excess] += 1
                continue
            example.reference._.set(self.attr, translation)
            yield example
            kept += 1
            if kept == self.limit:
                break
        self._drops.report(kept, dropped)

    def _excess(self, n_tokens: int, n_words: int) -> str:
        """Which bound a pair exceeds, if any."""
        shorter, longer = sorted((n_tokens, n_words))
        if 0 < self.max_length < longer:
            return f"longer than max_length = {self.max_length}"
        if 0 < self.max_ratio < longer / shorter:
            return f"beyond max_ratio = {self.max_ratio:g}"
        return ""

    # Formats

    def pairs(self, vocab: Vocab) -> Iterator[Tuple[Union[str, Doc], str]]:
        """Yield every source with its translation, either of which may be empty."""
        path = self.path
        for file in (path, self.target_path):
            if file is not None and not file.exists():
                raise FileNotFoundError(f"There is no file or folder {file}. Check the paths.")
        ending = ending_of(path)
        if self.target_path is not None:
            if path.is_dir() or self.target_path.is_dir() or ending in (DOCS, *JSON_LINES):
                raise ValueError(
                    f"With target_path, path must be a file with a text a line, but it is {path}, "
                    f"and target_path is {self.target_path}. Leave target_path out if path has "
                    f"both texts."
                )
            self.format.check_unused(str(path))
            return self._read_aligned(self.target_path)
        if not path.is_dir() and ending in TABLES:
            return self._read_table()
        self.format.check_unused(str(path))
        if is_saved(path):
            return self._read_dataset()
        if path.is_dir() or path.suffix == DOCS:
            return self._read_docs(vocab)
        if ending in JSON_LINES:
            return self._read_json()
        raise ValueError(
            f"The name of {path} does not tell its format. Files with both texts end in .tsv or "
            f".txt (a pair a line, separated by a TAB), .csv, .jsonl or .json (an object a line), "
            f"each also with one of {list(COMPRESSED)} after it, or in .spacy. If it has one text "
            f"a line, set target_path to the file of their translations."
        )

    def _read_aligned(self, target_path: Path) -> Iterator[Tuple[str, str]]:
        encoding = self.format.encoding
        pairs = zip_longest(read_lines(self.path, encoding), read_lines(target_path, encoding))
        for number, (source, target) in enumerate(pairs, start=1):
            if source is None or target is None:
                shorter, longer = self.path, target_path
                if target is None:
                    shorter, longer = longer, shorter
                n_lines = number + sum(1 for _ in pairs)
                raise ValueError(
                    f"{shorter} has {number - 1} lines, but {longer} has {n_lines}: line {number} "
                    f"is the first without a partner. Each line of one must translate the same "
                    f"line of the other; look for lines that were lost, split or joined."
                )
            yield source.strip(), target.strip()

    def _read_table(self) -> Iterator[Tuple[str, str]]:
        rows = read_rows(self.path, self.format)
        head = list(islice(rows, 1))
        if not head:
            return
        first = head[0][1]
        source, target = self._columns(*head[0])
        if not self.format.header:
            rows = chain(head, rows)
        for _, fields in rows:
            if len(fields) == len(first):
                yield fields[source].strip(), fields[target].strip()
            else:
                # It says where, and in how many rows.
                check_table(self.path, self.format)

    def _columns(self, number: int, first: Sequence[str]) -> Tuple[int, int]:
        """The numbers of the two columns of a table, by its first row."""
        if self.format.header:
            missing = {self.source, self.target}.difference(first)
            if missing:
                raise ValueError(
                    f"The header of {self.path} has no column {sorted(missing)}, but {first}. Set "
                    f"source and target to two of them, delimiter to what separates them, or "
                    f"header to false if it is none."
                )
            return first.index(self.source), first.index(self.target)
        needed = 1 + max(self.source_column, self.target_column)
        if len(first) < needed:
            raise ValueError(
                f"Line {number} of {self.path} has too few columns, {len(first)}: source_column = "
                f"{self.source_column} and target_column = {self.target_column} need {needed}. "
                f"Separate them by a TAB in .tsv and .txt or a comma in .csv, set delimiter, or "
                f"set target_path if the translations have their own file."
            )
        return self.source_column, self.target_column

    def _read_json(self) -> Iterator[Tuple[str, str]]:
        for where, record in read_json(self.path, self.format.encoding):
            yield self._texts(record, where)

    def _read_dataset(self) -> Iterator[Tuple[str, str]]:
        splits = self.path / "dataset_dict.json"
        if splits.exists():
            names = next(record["splits"] for _, record in read_json(splits))
            raise ValueError(
                f"{self.path} is a dataset of the splits {names}. Set the path to one of them, as "
                f"{self.path / names[0]}."
            )
        dataset = load_saved(self.path).with_format(None)
        for number, record in enumerate(dataset, start=1):
            yield self._texts(record, f"Row {number} of {self.path}")

    def _texts(self, record: Any, where: str) -> Tuple[str, str]:
        """The two texts of an object, or of an object in it."""
        found = record if isinstance(record, dict) else {}
        for texts in (found, *found.values()):
            if isinstance(texts, dict) and self.source in texts and self.target in texts:
                source, target = texts[self.source], texts[self.target]
                return checked_text(source, where).strip(), checked_text(target, where).strip()
        there = {
            name: list(value) if isinstance(value, dict) else type(value).__name__
            for name, value in found.items()
        }
        raise ValueError(
            f"{where} has no texts of the names '{self.source}' and '{self.target}'; it has "
            f"{there or type(record).__name__}. Set source and target to the names of the two "
            f"texts."
        )

    def _read_docs(self, vocab: Vocab) -> Iterator[Tuple[Doc, str]]:
        files = walk_corpus(self.path, DOCS)
        if not files:
            raise ValueError(
                f"The folder {self.path} has neither .spacy files nor a dataset that save_to_disk "
                f"wrote. Check the path."
            )
        for file in files:
            for number, doc in enumerate(DocBin().from_disk(file).get_docs(vocab), start=1):
                where = f"doc._.{self.attr} of doc {number} of {file}"
                yield doc, checked_text(doc._.get(self.attr), where)


def _make_example(nlp: Language, source: Union[str, Doc]) -> Example:
    if isinstance(source, str):
        doc = nlp.make_doc(source)
        return Example(doc, doc.copy())
    if source.has_unknown_spaces:
        words = [token.text for token in source]
        return Example(Doc(nlp.vocab, words=words), source)
    return Example(nlp.make_doc(source.text), source)
