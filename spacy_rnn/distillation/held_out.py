"""Texts that are held out from learning."""

from hashlib import sha1
from typing import Iterable, Set

#: of so many different texts one is held out, until there are enough
EVERY, MOST = 10, 2000


class HeldOut:
    """Chooses texts by a hash of their characters but white space: the same ones in every run, and
    equal texts together, so that none is both learned from and held out.

    first (Iterable[str]): The first texts, of which every tenth different one is held out. None is
        if there are less than ten; later ones are compared with these.
    """

    def __init__(self, first: Iterable[str]) -> None:
        hashes = sorted(set(map(_hash, first)))
        n = len(hashes) // EVERY
        self._last = hashes[n - 1] if n else ""
        self._chosen: Set[str] = set()
        self._learned: Set[str] = set()

    def __bool__(self) -> bool:
        """Return True if any text is held out."""
        return bool(self._last)

    def has(self, text: str) -> bool:
        """Decide whether a text is held out. The decisions depend on the texts asked for before.

        text (str): The text.
        RETURNS (bool): True if it is.
        """
        key = _hash(text)
        if key <= self._last and len(self._chosen) < MOST and key not in self._learned:
            self._chosen.add(key)
        return key in self._chosen

    def leave_out(self, text: str) -> None:
        """Never hold a text out, because it is learned from in any case.

        text (str): The text.
        """
        self._learned.add(_hash(text))


def _hash(text: str) -> str:
    # White space may be unknown in gold documents.
    return sha1("".join(text.split()).encode("utf8")).hexdigest()
