"""Tags of entities, one for each token, in the schemes that datasets use."""

import re
from typing import Iterable, List, Optional, Tuple

OUTSIDE = "O"
#: of a token for which it is not known whether it is in an entity; spaCy writes "-"
UNKNOWN = ("", "-")
#: prefixes of BIO, BILUO, BIOES and BMES, in the order of the alphabet
PREFIXES = "BEILMSU"
#: those of the first and of the last token of an entity
FIRST, LAST = "BSU", "ELSU"
WITH_PREFIX = re.compile(rf"([{PREFIXES}])-(.+)", re.DOTALL | re.IGNORECASE)
#: a tag that is no label, or may have its prefix written in another way: B, B_PERSON, PERSON-B
UNCLEAR = re.compile(
    rf"[{PREFIXES}]([-_:.].*)?|.*[-_:.][{PREFIXES}]|[\W_]*", re.DOTALL | re.IGNORECASE
)


def to_bio(tags: Iterable[str]) -> List[str]:
    """Convert the tags of a text to BIO, where B begins each entity and "" is not known.

    Known are the schemes BIO, BILUO, BIOES, BMES, and IO, which has labels without a prefix.
    Prefixes and O may be in lower case. Raises a ValueError for other tags.
    """
    found: List[str] = []
    previous: Optional[str] = None  # the label of an entity that may go on
    with_prefix = set()
    for tag in tags:
        if tag in UNKNOWN or tag.upper() == OUTSIDE:
            found.append("" if tag in UNKNOWN else OUTSIDE)
            previous = None
            continue
        prefix, label = _parse(tag)
        goes_on = prefix not in FIRST and label == previous
        found.append(f"{'I' if goes_on else 'B'}-{label}")
        previous = None if prefix in LAST else label
        with_prefix.add(label != tag)
    if len(with_prefix) > 1:
        raise ValueError(
            f"some tags of entities have a prefix, such as B-PERSON, and others have none: "
            f"{', '.join(tags)}. Write all of them in one way."
        )
    return found


def are_entity_tags(names: Iterable[str]) -> bool:
    """Check that names are tags of entities beyond doubt: O and tags with a prefix."""
    rest = [name for name in names if name not in UNKNOWN]
    outside = [name for name in rest if name.upper() == OUTSIDE]
    return bool(outside) and all(name in outside or WITH_PREFIX.fullmatch(name) for name in rest)


def _parse(tag: str) -> Tuple[str, str]:
    """Split a tag into its prefix in upper case and its label."""
    match = WITH_PREFIX.fullmatch(tag)
    if match:
        return match[1].upper(), match[2]
    if UNCLEAR.fullmatch(tag):
        raise ValueError(
            f"{tag!r} is not a tag of an entity. Write a prefix, '-' and a label, such as B-PERSON "
            f"(BIO, BILUO, BIOES or BMES), or PERSON (IO), and O for tokens outside of entities."
        )
    return "I", tag
