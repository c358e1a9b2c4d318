"""A reader of pairs of a text and its translation, in the formats of parallel corpora."""

from collections import Counter
from dataclasses import KW_ONLY, dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Tuple, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab

from ..extensions import set_doc_extension
from ..text_files import COMPRESSED, UTF8, ending_of, read_json, read_lines
from ..validation import at_least, number_at_least
from .docs import read_docs
from .sources import is_saved_dataset, load_saved_dataset
from .tables import RULES, TableFormat, check_table, read_rows
from .text_io import DropCounter, checked_text

TABLES = (*RULES, ".txt")
JSON_LINES = (".jsonl", ".json")
DOCS = ".spacy"


@dataclass(eq=False)
class ParallelCorpus:
    """spacy_rnn.ParallelCorpus.v1: iterate Example objects over texts with a translation in a Doc
    extension, by default `doc._.translation`.

    The path determines the format:

    * `.tsv` or `.txt`: a pair on each line, with columns separated by a TAB; quotes are text.
    * `.csv`: a pair in each row, with columns separated by a comma and optional quotes (RFC 4180).
    * any two files, `path` and `target_path`: line N of one is the translation of line N of the
      other.
    * `.jsonl` or `.json`: a JSON object on each line, {"source": "...", "target": "..."}, or with
      the two texts one level deeper, {"translation": {"en": "...", "fr": "..."}}; `.json` may also
      be a list of them.
    * `.spacy` files or a folder of them: docs with the extension, saved with
      DocBin(store_user_data=True).
    * a folder written by `save_to_disk` of the library datasets, with columns as in JSON.

    Text files may be compressed (`.gz`, `.xz`, `.bz2`, `.zst`) and are read line by line.
    Whitespace around their texts is removed.

    Pairs that lack a text or exceed a limit are dropped. Their number and the reasons are logged at
    the end of each pass: as a warning, or at the level INFO if the previous pass dropped the same.

    path (Optional[Union[str, Path]]): The file or folder. None, the value of an empty variable in a
        config, is an error.
    target_path (Optional[Union[str, Path]]): The file of translations, if they have their own.
    source (str), target (str): The names of the two texts in JSON, datasets and the header of a
        table.
    source_column (int), target_column (int): The indices of the columns of the two texts in a table
        without a header.
    attr (str): The name of the Doc extension.
    max_length (int): The maximum number of tokens of the source and of words of the translation,
        separated by spaces; 0 for no limit.
    max_ratio (float): The maximum ratio of the longer to the shorter side, in tokens of the source
        and words of the translation; 0 for no limit. Not for languages without spaces between
        words.
    limit (int): The maximum number of pairs; 0 for no limit.
    delimiter (Optional[str]): The separator of the columns of a table; None for a comma in .csv and
        a TAB in other files.
    header (bool): The first row of a table has the names of the columns.
    quotes (Optional[bool]): The fields of a table may be quoted by double quotes (RFC 4180). If
        False, quotes are part of the text. None for True in .csv and False in other files.
    encoding (str): The encoding of text files without a byte-order mark.
    RAISES (ValueError): If a setting is out of range.
    """

    path: Optional[Union[str, Path]]
    _: KW_ONLY
    target_path: Optional[Union[str, Path]] = None
    source: str = "source"
    target: str = "target"
    source_column: int = 0
    target_column: int = 1
    attr: str = "translation"
    max_length: int = 0
    max_ratio: float = 0.0
    limit: int = 0
    delimiter: Optional[str] = None
    header: bool = False
    quotes: Optional[bool] = None
    encoding: str = UTF8

    def __post_init__(self) -> None:
        if self.path is None:
            raise ValueError(Errors.E913)
        at_least(
            0,
            source_column=self.source_column,
            target_column=self.target_column,
            max_length=self.max_length,
            limit=self.limit,
        )
        if self.max_ratio != 0:
            number_at_least(1, max_ratio=self.max_ratio)
        self._path = Path(self.path)
        self._target_path = None if self.target_path is None else Path(self.target_path)
        self._format = TableFormat(self.delimiter, self.header, self.quotes, self.encoding)
        advice = (
            "Check the columns or names of source and translation, and the limits of the corpus. "
            "Docs keep their translations only if they are saved with "
            "DocBin(store_user_data=True)."
        )
        self._drops = DropCounter(self._path, "pairs", advice)

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the data: the tokenized source without and with its translation.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
        RAISES (ValueError): If the data is malformed, or no pair is left.
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
        """A description of the limit that a pair exceeds, "" if none."""
        shorter, longer = sorted((n_tokens, n_words))
        if 0 < self.max_length < longer:
            return f"longer than max_length = {self.max_length}"
        if 0 < self.max_ratio < longer / shorter:
            return f"above max_ratio = {self.max_ratio:g}"
        return ""

    # Formats

    def pairs(self, vocab: Vocab) -> Iterator[Tuple[Union[str, Doc], str]]:
        """Yield all pairs, before any is dropped.

        vocab (Vocab): The vocabulary of docs.
        YIELDS (Tuple[Union[str, Doc], str]): A source and its translation, which may be empty.
        RAISES (ValueError): If the data is malformed.
        RAISES (FileNotFoundError): If a file or folder does not exist.
        """
        path = self._path
        for file in (path, self._target_path):
            if file is not None and not file.exists():
                raise FileNotFoundError(
                    f"The file or folder {file} does not exist. Check the paths."
                )
        ending = ending_of(path)
        if self._target_path is not None:
            if path.is_dir() or self._target_path.is_dir() or ending in (DOCS, *JSON_LINES):
                raise ValueError(
                    f"With target_path, path must be a file with one text on each line, but it is "
                    f"{path}, and target_path is {self._target_path}. Leave target_path out if "
                    f"path has both texts."
                )
            self._format.check_unused(str(path))
            return self._read_aligned(self._target_path)
        if not path.is_dir() and ending in TABLES:
            return self._read_table()
        self._format.check_unused(str(path))
        if is_saved_dataset(path):
            return self._read_dataset()
        if path.is_dir() or path.suffix == DOCS:
            return self._read_docs(vocab)
        if ending in JSON_LINES:
            return self._read_json()
        raise ValueError(
            f"The ending of {path} is unknown. Files with both texts end in .tsv or .txt (a pair "
            f"on each line, separated by a TAB), .csv, .jsonl or .json (an object on each line), "
            f"optionally followed by one of {list(COMPRESSED)}, or in .spacy. If the file has one "
            f"text on each line, set target_path to the file of translations."
        )

    def _read_aligned(self, target_path: Path) -> Iterator[Tuple[str, str]]:
        encoding = self._format.encoding
        pairs = zip_longest(read_lines(self._path, encoding), read_lines(target_path, encoding))
        for number, (source, target) in enumerate(pairs, start=1):
            if source is None or target is None:
                shorter, longer = self._path, target_path
                if target is None:
                    shorter, longer = longer, shorter
                n_lines = number + sum(1 for _ in pairs)
                raise ValueError(
                    f"{shorter} has {number - 1} lines, but {longer} has {n_lines}: line {number} "
                    f"is the first without a translation. Each line of one file must be the "
                    f"translation of the same line of the other; look for lines that were lost, "
                    f"split or joined."
                )
            yield source.strip(), target.strip()

    def _read_table(self) -> Iterator[Tuple[str, str]]:
        rows = read_rows(self._path, self._format)
        head = list(islice(rows, 1))
        if not head:
            return
        first = head[0][1]
        source, target = self._columns(*head[0])
        if not self._format.header:
            rows = chain(head, rows)
        for _, fields in rows:
            if len(fields) == len(first):
                yield fields[source].strip(), fields[target].strip()
            else:
                # Its error has the line, and the number of such rows.
                check_table(self._path, self._format)

    def _columns(self, number: int, first: Sequence[str]) -> Tuple[int, int]:
        """The indices of the two columns of a table, given its first row and its line."""
        if self._format.header:
            missing = {self.source, self.target}.difference(first)
            if missing:
                raise ValueError(
                    f"The header of {self._path} has no column {sorted(missing)}. Its columns: "
                    f"{first}. Set source and target to two of them, delimiter to the separator of "
                    f"columns, or header to false if the file has no header."
                )
            return first.index(self.source), first.index(self.target)
        needed = 1 + max(self.source_column, self.target_column)
        if len(first) < needed:
            raise ValueError(
                f"Line {number} of {self._path} has too few columns, {len(first)}: source_column = "
                f"{self.source_column} and target_column = {self.target_column} need {needed}. "
                f"Separate them by a TAB in .tsv and .txt or by a comma in .csv, set delimiter, or "
                f"set target_path if the translations are in a file of their own."
            )
        return self.source_column, self.target_column

    def _read_json(self) -> Iterator[Tuple[str, str]]:
        for where, record in read_json(self._path, self._format.encoding):
            yield self._texts(record, where)

    def _read_dataset(self) -> Iterator[Tuple[str, str]]:
        splits = self._path / "dataset_dict.json"
        if splits.exists():
            names = next(record["splits"] for _, record in read_json(splits))
            raise ValueError(
                f"{self._path} is a dataset with the splits {names}. Set the path to one of them, "
                f"such as {self._path / names[0]}."
            )
        dataset = load_saved_dataset(self._path).with_format(None)
        for number, record in enumerate(dataset, start=1):
            yield self._texts(record, f"Row {number} of {self._path}")

    def _texts(self, record: Any, where: str) -> Tuple[str, str]:
        """The two texts of an object, or of an object nested in it."""
        found = record if isinstance(record, dict) else {}
        for texts in (found, *found.values()):
            if isinstance(texts, dict) and self.source in texts and self.target in texts:
                source, target = texts[self.source], texts[self.target]
                return checked_text(source, where).strip(), checked_text(target, where).strip()
        available = {
            name: list(value) if isinstance(value, dict) else type(value).__name__
            for name, value in found.items()
        }
        raise ValueError(
            f"{where} has no texts with the names '{self.source}' and '{self.target}'; it has "
            f"{available or type(record).__name__}. Set source and target to the names of the two "
            f"texts."
        )

    def _read_docs(self, vocab: Vocab) -> Iterator[Tuple[Doc, str]]:
        files = walk_corpus(self._path, DOCS)
        if not files:
            raise ValueError(
                f"The folder {self._path} has neither .spacy files nor a dataset written by "
                f"save_to_disk. Check the path."
            )
        for file in files:
            for number, doc in enumerate(read_docs(file, vocab), start=1):
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
