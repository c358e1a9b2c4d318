"""Entity tags of tokens in the schemes of datasets."""

import logging
import re
from collections import Counter
from functools import cache
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .text_io import NAMES_FOR_NUMBERS

logger = logging.getLogger("spacy_rnn")

OUTSIDE = "O"
#: tags of tokens without annotation; spaCy writes "-"
UNKNOWN = ("", "-")
#: prefixes of BIO, BILUO, BIOES and BMES, in alphabetical order
PREFIXES = "BEILMSU"
#: prefixes of the first token of an entity, of the last, and of tokens that cannot be the first
FIRST, LAST, LATER = "BSU", "ELSU", "ELM"
WITH_PREFIX = re.compile(rf"([{PREFIXES}])-(.+)", re.DOTALL | re.IGNORECASE)
#: a tag without a label, or with a prefix in another format: B, B_PERSON, PERSON-B
UNCLEAR = re.compile(
    rf"[{PREFIXES}]([\W_].*)?|.*[-_:.\u2010-\u2015\u2212][{PREFIXES}]|[\W_]*",
    re.DOTALL | re.IGNORECASE,
)
#: several tags with a separator
SEVERAL = re.compile(rf".*(\||[,;/+\s]\s*[{PREFIXES}]-).*", re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")


class EntityTags:
    """Converts the tags of texts to BIO, and reports irregularities of all texts.

    source (Any): The path or name of the dataset, for messages.
    """

    def __init__(self, source: Any) -> None:
        self.source = source
        # The first tag with a prefix (True) and the first without one (False).
        self._examples: Dict[bool, str] = {}
        self._outside = False
        self._without_first: Counter[str] = Counter()
        self._reported = False

    def to_bio(self, tags: Iterable[str]) -> List[str]:
        """Convert the tags of a text to BIO, in which each entity begins with B.

        The schemes are BIO, BILUO, BIOES, BMES, and IO, which has labels without a prefix. Prefixes
        and O may be in lower case.

        tags (Iterable[str]): The tags.
        RETURNS (List[str]): The BIO tags, "" for tokens without annotation.
        RAISES (ValueError): For other tags.
        """
        found: List[str] = []
        previous: Optional[str] = None  # the label of an entity that may continue
        for tag in map(str.strip, tags):
            if tag in UNKNOWN or tag.upper() == OUTSIDE:
                self._outside = self._outside or tag not in UNKNOWN
                found.append("" if tag in UNKNOWN else OUTSIDE)
                previous = None
                continue
            prefix, label = _parse(tag)
            continues = prefix not in FIRST and label == previous
            if prefix in LATER and not continues:
                self._without_first[tag] += 1
            found.append(f"{'I' if continues else 'B'}-{label}")
            previous = None if prefix in LAST else label
            self._examples.setdefault(label != tag, tag)
            if len(self._examples) > 1:
                raise ValueError(
                    f"some entity tags have a prefix, such as {self._examples[True]!r}, and others "
                    f"have none, such as {self._examples[False]!r}. Write all of them in the same "
                    f"scheme, and O for tokens outside of entities."
                )
        return found

    def report(self) -> None:
        """Log a warning for irregularities in the tags read so far, once."""
        if self._reported:
            return
        self._reported = True
        if self._without_first:
            tag = self._without_first.most_common(1)[0][0]
            logger.warning(
                "%s: %d entity tags, such as %r, continue or end an entity that did not begin. "
                "Each of them is read as the beginning of an entity. Correct them; if they are "
                "labels without a prefix, add one, such as %r.",
                self.source,
                self._without_first.total(),
                tag,
                f"I-{tag}",
            )
        if False in self._examples and not self._outside:
            logger.warning(
                "%s: no token has the entity tag O, so every token is in an entity. If one of the "
                "tags, such as %r, means that a token is outside of entities, replace it by O.",
                self.source,
                self._examples[False],
            )


def are_entity_tags(names: Iterable[str]) -> bool:
    """Return True if names are certainly entity tags: O and tags with a prefix.

    names (Iterable[str]): The names.
    RETURNS (bool): True if they are.
    """
    rest = [name for name in names if name not in UNKNOWN]
    outside = [name for name in rest if name.upper() == OUTSIDE]
    return bool(outside) and all(name in outside or WITH_PREFIX.fullmatch(name) for name in rest)


@cache
def _parse(tag: str) -> Tuple[str, str]:
    """Split a tag into its prefix, in upper case, and its label."""
    if NUMBER.fullmatch(tag):
        raise ValueError(
            f"{tag!r} is a number, not an entity tag. Write O for tokens outside of entities. "
            f"{NAMES_FOR_NUMBERS}"
        )
    if SEVERAL.fullmatch(tag):
        raise ValueError(
            f"{tag!r} looks like several tags of one token, but each token is in at most one "
            f"entity of doc.ents. Keep one of them."
        )
    match = WITH_PREFIX.fullmatch(tag)
    if match:
        return match[1].upper(), match[2]
    if UNCLEAR.fullmatch(tag):
        raise ValueError(
            f"{tag!r} is not an entity tag. Write a prefix, '-' and a label, such as B-PERSON "
            f"(BIO, BILUO, BIOES or BMES), or PERSON (IO), and O for tokens outside of entities."
        )
    return "I", tag
