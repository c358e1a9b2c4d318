"""Convert corpora of classified or rated texts to spaCy's binary format.

    python corpora/texts.py FORMAT IN_DIR OUT_DIR [--lang en]

writes `train.spacy`, `dev.spacy` and `test.spacy`. IN_DIR has the published files: plain,
compressed, or inside a zip or tar archive.

FORMAT     files                                  annotation; split
polarity   rt-polarity.pos, rt-polarity.neg       `doc.cats`; by a hash of the line
banking    train.csv, test.csv                    `doc.cats`; a tenth of train, by hash, is dev
emotions   {train,dev,test}.tsv                   `doc.cats`, any number of labels; as the files
ratings    {amazon,movie}ReviewSnippets_GroundTruth.txt   a rating; by a hash of the review

A rating is stored in the extension of `rnn_regressor`, `doc._.regression`, as {"rating": -1.5}. In
a split by hash, a tenth of the texts is test and a tenth dev, always the same ones.
"""

import argparse
import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_rnn.text_files import COMPRESSED, DAMAGES, decode, open_bytes

PARTS = ("train", "dev", "test")
EXTENSION = "regression"
#: errors of damaged files and archives
DAMAGE = (*DAMAGES, zipfile.BadZipFile, tarfile.TarError)
#: in the order of their numbers in GoEmotions
EMOTIONS = """admiration amusement anger annoyance approval caring confusion curiosity desire
    disappointment disapproval disgust embarrassment excitement fear gratitude grief joy love
    nervousness optimism pride realization relief remorse sadness surprise neutral""".split()


class Text(NamedTuple):
    """A text, the part it belongs to, and its annotation."""

    part: str
    text: str
    cats: dict[str, float]
    rating: float | None = None


def content(directory: Path, name: str) -> str:
    """Read the text of a file anywhere in the directory, also inside an archive.

    RAISES (FileNotFoundError): If it is not found.
    RAISES (ValueError): If the file or archive is damaged, or it is not UTF-8.
    """
    compressed = [directory / f"{name}{ending}" for ending in COMPRESSED]
    for path in [directory / name, *compressed, *sorted(directory.glob("*.*"))]:
        try:
            data = read(path, name) if path.is_file() else None
        except DAMAGE as error:
            raise ValueError(f"{path} is damaged ({error}); download it again") from error
        if data is not None:
            return decode(data, name)
    raise FileNotFoundError(
        f"{directory} has no file {name}, neither plain, nor compressed, nor in a zip or tar "
        f"archive; download it there (python -m spacy project assets)"
    )


def read(path: Path, name: str) -> bytes | None:
    """Read a file from a path, if that is the file itself, compressed or not, or an archive with
    it."""
    if path.name in (name, *(f"{name}{ending}" for ending in COMPRESSED)):
        with open_bytes(path) as file:
            return file.read()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.namelist() if Path(member).name == name]
            return archive.read(members[0]) if members else None
    if ".tar" in path.suffixes:
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                if member.isfile() and Path(member.name).name == name:
                    return archive.extractfile(member).read()
    return None


def lines(text: str) -> list[str]:
    """Split a text into non-empty lines, only at line feeds, because texts may have U+2028."""
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def table(directory: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file.

    RAISES (ValueError): If one has more or fewer fields than the header.
    """
    reader = csv.DictReader(io.StringIO(content(directory, name), newline=""), strict=True)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(
                f"{name}, line {reader.line_num}: more or fewer fields than the header has, "
                f"{reader.fieldnames}; quote fields with a comma or line break in them"
            )
        rows.append(row)
    return rows


def part_of(key: str, test: bool = True) -> str:
    """The part that a text belongs to, by the SHA-1 of a key."""
    number = int(hashlib.sha1(key.encode("utf8")).hexdigest(), 16) % 10
    return "test" if number == 0 and test else "dev" if number == 1 else "train"


def polarity(directory: Path) -> Iterator[Text]:
    labels = {"pos": "POSITIVE", "neg": "NEGATIVE"}
    for suffix, label in labels.items():
        for line in lines(content(directory, f"rt-polarity.{suffix}")):
            cats = {other: float(other == label) for other in labels.values()}
            yield Text(part_of(line), line.strip(), cats)


def banking(directory: Path) -> Iterator[Text]:
    rows = {split: table(directory, f"{split}.csv") for split in ("train", "test")}
    labels = sorted({row["category"] for split_rows in rows.values() for row in split_rows})
    for split, split_rows in rows.items():
        for row in split_rows:
            part = split if split == "test" else part_of(row["text"], test=False)
            cats = {label: float(label == row["category"]) for label in labels}
            yield Text(part, row["text"].strip(), cats)


def emotions(directory: Path) -> Iterator[Text]:
    for part in PARTS:
        # Not a csv: quotes are part of the text.
        for line in lines(content(directory, f"{part}.tsv")):
            text, numbers, _ = line.split("\t")
            found = {EMOTIONS[int(number)] for number in numbers.split(",")}
            yield Text(part, text.strip(), {label: float(label in found) for label in EMOTIONS})


def ratings(directory: Path) -> Iterator[Text]:
    for kind in ("amazon", "movie"):
        for line in lines(content(directory, f"{kind}ReviewSnippets_GroundTruth.txt")):
            number, rating, text = line.split("\t")
            # Sentences of one review stay together.
            key = f"{kind} {number.partition('_')[0]}"
            yield Text(part_of(key), text.strip(), {}, float(rating))


FORMATS: dict[str, Callable[[Path], Iterator[Text]]] = {
    function.__name__: function for function in (polarity, banking, emotions, ratings)
}


def to_doc(text: Text, nlp: Language) -> Doc:
    """The text as a gold document."""
    doc = nlp.make_doc(text.text)
    doc.cats = text.cats
    if text.rating is not None:
        if not Doc.has_extension(EXTENSION):
            Doc.set_extension(EXTENSION, default=None)
        doc._.set(EXTENSION, {"rating": text.rating})
    return doc


def convert(format_name: str, source: Path, target: Path, lang: str = "en") -> dict[str, int]:
    """Convert a corpus. RETURNS (dict[str, int]): The number of texts of each part."""
    nlp = spacy.blank(lang)
    bins = {part: DocBin(store_user_data=True) for part in PARTS}
    for text in FORMATS[format_name](source):
        bins[text.part].add(to_doc(text, nlp))
    target.mkdir(parents=True, exist_ok=True)
    for part, docs in bins.items():
        docs.to_disk(target / f"{part}.spacy")
    return {part: len(docs) for part, docs in bins.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("source", type=Path, metavar="IN_DIR")
    parser.add_argument("target", type=Path, metavar="OUT_DIR")
    parser.add_argument("--lang", default="en")
    options = parser.parse_args(arguments)
    sizes = convert(options.format, options.source, options.target, options.lang)
    print(*(f"{part}: {size} texts" for part, size in sizes.items()), sep="\n")


if __name__ == "__main__":
    main()
