"""Tags of entities, one for each token, in the schemes that datasets use."""

import logging
import re
from collections import Counter
from functools import cache
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .text_io import NAMES_FOR_NUMBERS

logger = logging.getLogger("spacy_rnn")

OUTSIDE = "O"
#: of a token for which it is not known whether it is in an entity; spaCy writes "-"
UNKNOWN = ("", "-")
#: prefixes of BIO, BILUO, BIOES and BMES, in the order of the alphabet
PREFIXES = "BEILMSU"
#: those of the first and of the last token of an entity, and those that cannot be the first
FIRST, LAST, LATER = "BSU", "ELSU", "ELM"
WITH_PREFIX = re.compile(rf"([{PREFIXES}])-(.+)", re.DOTALL | re.IGNORECASE)
#: a tag without a label, or whose prefix may be written in another way: B, B_PERSON, PERSON-B
UNCLEAR = re.compile(
    rf"[{PREFIXES}]([\W_].*)?|.*[-_:.\u2010-\u2015\u2212][{PREFIXES}]|[\W_]*",
    re.DOTALL | re.IGNORECASE,
)
#: tags with something between them
SEVERAL = re.compile(rf".*(\||[,;/+\s]\s*[{PREFIXES}]-).*", re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")


class EntityTags:
    """Reads the tags of texts as BIO, and reports what is doubtful in all of them.

    source (Any): The path or name of the dataset, for messages.
    """

    def __init__(self, source: Any) -> None:
        self.source = source
        # One of the tags with a prefix, and one of those without.
        self._examples: Dict[bool, str] = {}
        self._outside = False
        self._without_first: Counter[str] = Counter()
        self._reported = False

    def to_bio(self, tags: Iterable[str]) -> List[str]:
        """Convert the tags of a text to BIO, where B begins each entity and "" is not known.

        Known are the schemes BIO, BILUO, BIOES, BMES, and IO, which has labels without a prefix.
        Prefixes and O may be in lower case. Raises a ValueError for other tags.
        """
        found: List[str] = []
        previous: Optional[str] = None  # the label of an entity that may go on
        for tag in map(str.strip, tags):
            if tag in UNKNOWN or tag.upper() == OUTSIDE:
                self._outside = self._outside or tag not in UNKNOWN
                found.append("" if tag in UNKNOWN else OUTSIDE)
                previous = None
                continue
            prefix, label = _parse(tag)
            goes_on = prefix not in FIRST and label == previous
            if prefix in LATER and not goes_on:
                self._without_first[tag] += 1
            found.append(f"{'I' if goes_on else 'B'}-{label}")
            previous = None if prefix in LAST else label
            self._examples.setdefault(label != tag, tag)
            if len(self._examples) > 1:
                raise ValueError(
                    f"some tags of entities have a prefix, such as {self._examples[True]!r}, and "
                    f"others have none, such as {self._examples[False]!r}. Write all of them in "
                    f"one way, and O for tokens outside of entities."
                )
        return found

    def report(self) -> None:
        """Warn of what is doubtful in the tags read so far, once."""
        if self._reported:
            return
        self._reported = True
        if self._without_first:
            tag = self._without_first.most_common(1)[0][0]
            logger.warning(
                "%s: %d tags of entities, such as %r, continue or end an entity that did not "
                "begin. Each of them begins one. Correct them; if they are labels without a "
                "prefix, write one before them, such as %r.",
                self.source,
                self._without_first.total(),
                tag,
                f"I-{tag}",
            )
        if False in self._examples and not self._outside:
            logger.warning(
                "%s: no token has the tag O of entities, so that each token is in one. If one of "
                "the tags, such as %r, means that a token is outside of entities, write O for it.",
                self.source,
                self._examples[False],
            )


def are_entity_tags(names: Iterable[str]) -> bool:
    """Check that names are tags of entities beyond doubt: O and tags with a prefix."""
    rest = [name for name in names if name not in UNKNOWN]
    outside = [name for name in rest if name.upper() == OUTSIDE]
    return bool(outside) and all(name in outside or WITH_PREFIX.fullmatch(name) for name in rest)


@cache
def _parse(tag: str) -> Tuple[str, str]:
    """Split a tag into its prefix in upper case and its label."""
    if NUMBER.fullmatch(tag):
        raise ValueError(
            f"{tag!r} is a number, not a tag of an entity. Write O for tokens outside of entities. "
            f"{NAMES_FOR_NUMBERS}"
        )
    if SEVERAL.fullmatch(tag):
        raise ValueError(
            f"{tag!r} looks like several tags of one token, but doc.ents has at most one entity "
            f"for each. Keep one of them."
        )
    match = WITH_PREFIX.fullmatch(tag)
    if match:
        return match[1].upper(), match[2]
    if UNCLEAR.fullmatch(tag):
        raise ValueError(
            f"{tag!r} is not a tag of an entity. Write a prefix, '-' and a label, such as B-PERSON "
            f"(BIO, BILUO, BIOES or BMES), or PERSON (IO), and O for tokens outside of entities."
        )
    return "I", tag
