"""Split a file of Tatoeba's sentence pairs for training, development and test.

    python corpora/tatoeba.py IN_DIR NAME OUT_DIR [--reverse]

IN_DIR has a file NAME of https://www.manythings.org/anki/, such as `fra.txt`, with an English
sentence, a tab and a translation on each line. It may be plain, compressed or inside a zip archive.
`train.tsv`, `dev.tsv` and `test.tsv` are written to OUT_DIR; with `--reverse` English is the
target.

Many English sentences have several translations, so pairs are split by the hash of the English
side: one in a hundred to dev, and one in a hundred to test.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from texts import PARTS, content


def pairs(directory: Path, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the part, the English sentence and the translation of each pair."""
    lines = content(directory, name).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        # Newer files have a third column, the authors.
        columns = line.rstrip("\r").split("\t")
        if len(columns) < 2:
            raise ValueError(f"Line {number} of {name} has no TAB between two sentences.")
        english, translation, *_ = columns
        yield part_of(english), english, translation


def part_of(english: str) -> str:
    place = int(hashlib.sha1(english.encode("utf8")).hexdigest(), 16) % 100
    return {0: "test", 1: "dev"}.get(place, "train")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="IN_DIR")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("target", type=Path, metavar="OUT_DIR")
    parser.add_argument("--reverse", action="store_true", help="translations into English")
    options = parser.parse_args(arguments)
    tables: dict[str, list[str]] = {part: [] for part in PARTS}
    for part, english, translation in pairs(options.source, options.name):
        pair = (translation, english) if options.reverse else (english, translation)
        tables[part].append("\t".join(pair) + "\n")
    options.target.mkdir(parents=True, exist_ok=True)
    for part, rows in tables.items():
        (options.target / f"{part}.tsv").write_text("".join(rows), encoding="utf8", newline="\n")
        print(f"{part}: {len(rows)} pairs")


if __name__ == "__main__":
    main()
