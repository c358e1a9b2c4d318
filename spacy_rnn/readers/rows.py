"""Docs from rows, whose columns have roles."""

import logging
import re
from collections import Counter
from itertools import pairwise
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.parts_of_speech import IDS as PARTS_OF_SPEECH
from spacy.tokens import Doc
from spacy.util import get_words_and_spaces

from ..extensions import set_doc_extension
from .columns import CATEGORY_ROLES, TOKEN_ROLES, Column
from .entity_tags import EntityTags
from .labels import LabelReader, read_numbers
from .spans import set_spans
from .text_io import NAMES_FOR_NUMBERS, checked_text

logger = logging.getLogger("spacy_rnn")

#: the morphological features of a token in the format of Universal Dependencies
FEATS = re.compile(r"""_|[^\s=|{}'"]+=[^\s=|{}'"]+(\|[^\s=|{}'"]+=[^\s=|{}'"]+)*""")
#: a missing tag or part of speech in files of Universal Dependencies
MISSING_TAG = "_"


class RowReader:
    """Makes the annotated doc of each row.

    columns (Dict[str, List[Column]]): The columns of each role.
    source (Any): The path or name of the data, for messages.
    label_names (Optional[Sequence[str]]): The names of all labels in `doc.cats`; None if unknown.
    separator (str): The separator of labels or numbers in one string.

    labels (Optional[LabelReader]): The reader of the labels in `doc.cats`; None without a column of
        labels.
    RAISES (ValueError): If there are names of labels, but no column has labels.
    """

    def __init__(
        self,
        columns: Dict[str, List[Column]],
        source: Any,
        label_names: Optional[Sequence[str]] = None,
        separator: str = "",
    ) -> None:
        if label_names is not None and not columns.keys() & set(CATEGORY_ROLES):
            raise ValueError(
                f"{source}: labels is set, but no column has labels. Map one to 'label', 'labels' "
                f"or 'cats' in columns, or leave labels out."
            )
        self.columns = columns
        self.separator = separator
        self.source = source
        self.labels: Optional[LabelReader] = None
        for column in columns.get("label") or columns.get("labels") or ():
            self.labels = LabelReader(column, separator, label_names, source)
        self._label_names = label_names
        self._entity_tags = EntityTags(source)
        self._lost: Counter[str] = Counter()
        self._reported = False
        #: what the annotation of the last row lost, such as an entity that overlaps another
        self.problems: List[str] = []
        for attr in ("regression", "translation"):
            if attr in columns:
                set_doc_extension(attr)

    @property
    def label_names(self) -> Optional[Sequence[str]]:
        """The names of all labels in `doc.cats`, None if they are unknown."""
        return self._label_names if self.labels is None else self.labels.names

    def collect_names(self, rows: Iterable[Tuple[str, Mapping[str, Any]]]) -> None:
        """Collect the names of labels, unless they are known.

        rows (Iterable[Tuple[str, Mapping[str, Any]]]): The place of each row, and its values.
        """
        if self.labels is not None and self.labels.names is None:
            self.labels.collect_names(rows)

    def read(self, nlp: Language, row: Mapping[str, Any]) -> Optional[Doc]:
        """Make the doc of a row.

        nlp (Language): The pipeline, which tokenizes the text of a row without tokens.
        row (Mapping[str, Any]): The row.
        RETURNS (Optional[Doc]): The annotated doc, None if the row has no text.
        RAISES (ValueError): If the row is malformed.
        """
        columns = self.columns
        self.problems = []
        text = checked_text(self._value("text", row), "text")
        if "tokens" in columns:
            words = [checked_text(word, "tokens") for word in self._list("tokens", row) or []]
            doc = self._doc_of_tokens(nlp, row, words, _spaces(words, text))
        else:
            doc = nlp.make_doc(text)
        if not doc.text.strip():
            return None
        if "spans" in columns:
            self.problems = set_spans(doc, self._list("spans", row), text)
            self._lost.update(self.problems)
        doc.cats = self._cats(row)
        if "regression" in columns:
            doc._.regression = read_numbers(columns["regression"], row) or None
        if "translation" in columns:
            translation = checked_text(self._value("translation", row), "translation")
            doc._.translation = translation or None
        return doc

    def report(self) -> None:
        """Log a warning for irregularities in the entities read so far, once."""
        self._entity_tags.report()
        if self._lost and not self._reported:
            self._reported = True
            lost = ", ".join(f"{count} {reason}" for reason, count in self._lost.items())
            logger.warning("%s: entities are lost: %s.", self.source, lost)

    def _doc_of_tokens(
        self,
        nlp: Language,
        row: Mapping[str, Any],
        words: List[str],
        spaces: Optional[List[bool]],
    ) -> Doc:
        annotation = self._of_tokens(row, words)
        sent_starts = self._value("sent_starts", row)
        doc = Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=sent_starts, **annotation)
        for i, morph in enumerate(annotation.get("morphs", ())):
            if not morph:
                # A missing morphology, which a Doc would set to an empty one.
                token: Any = doc[i]
                token.set_morph(None)
        return doc

    def _value(self, role: str, row: Mapping[str, Any]) -> Any:
        """The value of a row for a role with one column, None without that role."""
        return self.columns[role][0].value(row) if role in self.columns else None

    def _list(self, role: str, row: Mapping[str, Any]) -> Optional[List[Any]]:
        """The list of a row for a role of tokens or spans."""
        value = self._value(role, row)
        if value is not None and not isinstance(value, list):
            items = "item for each entity" if role == "spans" else "item for each token"
            raise ValueError(
                f"{value!r} in the column '{self.columns[role][0]}' is not a list with an {items}, "
                f"as {role} are. Write a list, in JSON lines or Parquet, or map a column of whole "
                f"texts to 'text'."
            )
        return value

    def _of_tokens(self, row: Mapping[str, Any], words: List[str]) -> Dict[str, Any]:
        """The annotation of tokens, as the arguments of a Doc."""
        found: Dict[str, Any] = {}
        for role, argument in TOKEN_ROLES.items():
            values = self._list(role, row)
            if values is None:
                continue
            column = self.columns[role][0]
            if role == "morph":
                # A dict or a list of features is an error, whose message shows it as text.
                values = [repr(each) if isinstance(each, (dict, list)) else each for each in values]
            names = column.names(values)
            if role == "morph":
                _check_morphology(names, column)
            elif role != "entities":
                names = ["" if name == MISSING_TAG else name for name in names]
            if role == "pos":
                _check_parts_of_speech(names, column)
            if len(names) != len(words):
                raise ValueError(
                    f"it has {len(words)} tokens, but {len(names)} {role}. Each token needs one; "
                    f"write an empty one if it is unknown."
                )
            if role == "entities":
                # Entities end with their sentence.
                starts = self._value("sent_starts", row) or [True] + [False] * (len(words) - 1)
                borders = [i for i, is_start in enumerate(starts) if is_start] + [len(words)]
                parts = [self._entity_tags.to_bio(names[a:b]) for a, b in pairwise(borders)]
                names = [tag for part in parts for tag in part]
            found[argument] = names
        return found

    def _cats(self, row: Mapping[str, Any]) -> Dict[str, float]:
        """The categories of a row, empty if it is not labeled."""
        if self.labels is not None:
            return self.labels.cats(row)
        return read_numbers(self.columns.get("cats", []), row, self.label_names, self.separator)


def _spaces(words: List[str], text: str) -> Optional[List[bool]]:
    """For each word of a text, True if a space follows it. None if the words do not match it."""
    try:
        found, spaces = get_words_and_spaces(words, text)
    except ValueError:
        return None
    return spaces if found == words else None


def _check_morphology(names: List[str], column: Column) -> None:
    """Raise a ValueError for a name that is not in the format of Universal Dependencies."""
    for name in set(names):
        if name and not FEATS.fullmatch(name):
            raise ValueError(
                f"{name!r} in the column '{column}' is not a morphology. Write its features as "
                f"Universal Dependencies do: Case=Nom|Number=Sing, _ if there are none, and an "
                f"empty string if they are unknown."
            )


def _check_parts_of_speech(names: List[str], column: Column) -> None:
    """Raise a ValueError for a name that is not a universal part of speech."""
    for name in set(names):
        if name not in PARTS_OF_SPEECH:
            raise ValueError(
                f"{name!r} in the column '{column}' is not a universal part of speech. Choose from "
                f"{', '.join(filter(None, PARTS_OF_SPEECH))}; map tags of another kind to 'tags'. "
                f"{NAMES_FOR_NUMBERS}"
            )
