"""Split Wikigold by article for training, development and test.

    python corpora/wikigold.py IN_DIR OUT_DIR

IN_DIR has `wikigold.conll.txt`, plain, compressed or in an archive. `train.conll`, `dev.conll` and
`test.conll` are written to OUT_DIR, in the same format, for `python -m spacy rnn convert`.

Wikigold has no official split. By the hash of its first line, a tenth of the articles is test and a
tenth dev, always the same ones.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from texts import PARTS, content, part_of

NAME = "wikigold.conll.txt"
ARTICLE = "-DOCSTART-"  # begins the line between two articles


def articles(text: str) -> Iterator[list[str]]:
    """The lines of each article, without those between articles."""
    article: list[str] = []
    for line in text.split("\n"):
        if not line.startswith(ARTICLE):
            article.append(line.removesuffix("\r"))
        elif any(article):
            yield article
            article = []
    if any(article):
        yield article


def part_of_article(article: Sequence[str]) -> str:
    """The part that an article belongs to, by the words of its first sentence."""
    words: list[str] = []
    for line in article:
        if line.strip():
            words.append(line.split(" ")[0])
        elif words:
            break
    return part_of(" ".join(words))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="IN_DIR")
    parser.add_argument("target", type=Path, metavar="OUT_DIR")
    options = parser.parse_args(arguments)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for article in articles(content(options.source, NAME)):
        parts[part_of_article(article)] += [f"{ARTICLE} O", "", *article, ""]
    options.target.mkdir(parents=True, exist_ok=True)
    for part, lines in parts.items():
        path = options.target / f"{part}.conll"
        path.write_text("\n".join(lines) + "\n", encoding="utf8", newline="\n")
        print(f"{part}: {lines.count(f'{ARTICLE} O')} articles")


if __name__ == "__main__":
    main()
