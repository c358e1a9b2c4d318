"""The answers of teachers to any number of texts, on disk.

Texts are answered in shards. Each shard is written whole, and then noted in a manifest, so that a
run that was interrupted continues after the last shard that it had completed.

A folder of answers has the folders "train", "held-out" and "gold" with .spacy files, which
`spacy_rnn.Distilled.v1` reads, and "manifest.json".
"""

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from ..atomic import replace_file
from ..checksums import checksum_of_files
from ..features.soft_labels import set_soft_labels, soft_labels_of
from ..pipeline.base import RNNPipe
from ..readers.answers import set_best_labels
from .held_out import HeldOut
from .teachers import Teachers

TRAIN, HELD_OUT, GOLD = "train", "held-out", "gold"
MANIFEST = "manifest.json"
#: the number of texts in a shard
SHARD = 1000


@dataclass
class Counts:
    """What became of texts.

    train (int), held_out (int), gold (int): Answered, to learn from, to compare with, and with gold
        labels.
    empty (int): Left out, as they have no tokens.
    too_long (int): Left out, as they are longer than a pipeline reads.
    """

    train: int = 0
    held_out: int = 0
    gold: int = 0
    empty: int = 0
    too_long: int = 0

    def add(self, other: "Counts") -> None:
        """Add other counts to these."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Manifest:
    """The record of a folder of answers.

    settings (Dict[str, Any]): What the answers depend on.
    shards (List[Counts]): The counts of each shard that is complete.
    is_complete (bool): True if no text is left.
    """

    settings: Dict[str, Any]
    shards: List[Counts] = field(default_factory=list)
    is_complete: bool = False

    @property
    def counts(self) -> Counts:
        """The counts of all shards (Counts)."""
        total = Counts()
        for shard in self.shards:
            total.add(shard)
        return total


def answer_texts(
    folder: Path,
    settings: Dict[str, Any],
    teachers: Callable[[], Teachers],
    texts: Iterable[Union[str, Doc]],
    gold: Iterable[Doc] = (),
    check: Callable[[Sequence[Doc]], None] = lambda docs: None,
    progress: Callable[[Iterator[int]], Iterable[int]] = lambda numbers: numbers,
    needs_held_out: bool = False,
    max_length: int = sys.maxsize,
) -> Counts:
    """Write the answers of teachers to texts, or what an earlier run has left of them. Memory does
    not grow with the number of texts.

    folder (Path): The folder of the answers.
    settings (Dict[str, Any]): What the answers depend on; an earlier run must have had the same.
    teachers (Callable[[], Teachers]): Loads the teachers, if there is anything left to answer.
    texts (Iterable[Union[str, Doc]]): The texts, or documents that are answers.
    gold (Iterable[Doc]): Documents with gold labels, which get the answers beside them.
    check (Callable[[Sequence[Doc]], None]): Raises an error if the first answers are not usable.
    progress (Callable): Shows the numbers of texts that are answered as they come.
    needs_held_out (bool): It is an error if no text is held out.
    max_length (int): The number of characters of the longest text that the student reads.
    RETURNS (Counts): The counts of all texts.
    RAISES (ValueError): If the folder has answers of other teachers or texts, or there are not
        enough texts.
    RAISES (OSError): If an answer cannot be written; the shards before are complete.
    """
    manifest = _open_manifest(folder, settings)
    if not manifest.is_complete:
        rest = iter(texts)
        first = list(islice(rest, SHARD))
        contents = list(filter(str.strip, map(_content, first)))
        held_out = HeldOut(contents)
        if needs_held_out and contents and not held_out:
            raise _none_held_out()
        shards = _shards(chain(first, rest), gold)
        loaded = teachers()
        longest = min(loaded.max_length, max_length)
        for _ in progress(_answer(folder, manifest, loaded, shards, held_out, check, longest)):
            pass
    counts = manifest.counts
    if not counts.train + counts.gold:
        raise ValueError("There are no texts to answer, or all are empty.")
    if needs_held_out and not counts.held_out:
        raise _none_held_out()
    return counts


def _content(text: Union[str, Doc]) -> str:
    return text if isinstance(text, str) else text.text


def _none_held_out() -> ValueError:
    return ValueError(
        "No text is held out to select the best model. Give ten different texts or more that "
        "--gold does not have, or --dev."
    )


def _answer(
    folder: Path,
    manifest: Manifest,
    teachers: Teachers,
    shards: Iterable[Tuple[bool, List[Union[str, Doc]]]],
    held_out: HeldOut,
    check: Callable[[Sequence[Doc]], None],
    longest: int,
) -> Iterator[int]:
    """Answer shard after shard. Yields the number of texts of each."""
    for number, (is_gold, shard) in enumerate(shards):
        counts = Counts()
        read: List[Tuple[str, Union[str, Doc]]] = []
        for text in shard:
            content = _content(text)
            if not content.strip():
                counts.empty += 1
            elif len(content) > longest:
                counts.too_long += 1
            else:
                part = GOLD if is_gold else HELD_OUT if held_out.has(content) else TRAIN
                if is_gold:
                    held_out.leave_out(content)
                counts.add(Counts(**{_count_of(part): 1}))
                read.append((part, text))
        if number < len(manifest.shards):
            continue
        with teachers.in_memory_zones():
            parts: Dict[str, DocBin] = {}
            answers = list(teachers.answer([text for _, text in read]))
            if number == 0:
                check(answers)
            for (part, text), doc in zip(read, answers, strict=True):
                if isinstance(text, Doc) and is_gold:
                    set_soft_labels(text, soft_labels_of(doc))
                    doc = text
                parts.setdefault(part, DocBin(store_user_data=True)).add(doc)
            with _writing(folder, number):
                for part, found in parts.items():
                    with replace_file(_shard_file(folder, part, number)) as path:
                        found.to_disk(path)
                manifest.shards.append(counts)
                _write_manifest(folder, manifest)
        yield len(shard)
    manifest.is_complete = True
    with _writing(folder, len(manifest.shards)):
        _write_manifest(folder, manifest)


@contextmanager
def _writing(folder: Path, n_shards: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"Can't write to '{folder}': {error}. The answers in it are complete for the first "
            f"{n_shards * SHARD} texts. Fix the cause, such as a full disk, and continue with the "
            f"same command."
        ) from error


def _shards(
    texts: Iterable[Union[str, Doc]], gold: Iterable[Doc]
) -> Iterator[Tuple[bool, List[Union[str, Doc]]]]:
    """Yield texts in shards: first those with gold labels, True."""
    for is_gold, source in ((True, gold), (False, texts)):
        rest: Iterator[Union[str, Doc]] = iter(source)
        while shard := list(islice(rest, SHARD)):
            yield is_gold, shard


def _open_manifest(folder: Path, settings: Dict[str, Any]) -> Manifest:
    """Read the manifest of a folder, or begin one.

    RAISES (ValueError): If the folder has other answers, or some of its own are missing.
    """
    path = folder / MANIFEST
    has_answers = any(folder.rglob("*.spacy"))
    if not path.exists():
        if has_answers:
            raise ValueError(
                f"'{folder}' has answers, but not '{MANIFEST}', which says what they belong to. "
                f"Choose another output folder, or remove this one."
            )
        return _new_manifest(folder, settings)
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        shards = [Counts(**counts) for counts in found["shards"]]
        manifest = Manifest(dict(found["settings"]), shards, found["is_complete"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"'{path}' is damaged ({error}). Remove the folder.") from error
    changed = [name for name in settings if manifest.settings.get(name) != settings[name]]
    if changed and not (shards or has_answers):
        return _new_manifest(folder, settings)
    if changed:
        raise ValueError(
            f"'{folder}' has answers with other settings ({', '.join(changed)}). Choose another "
            f"output folder, or remove this one."
        )
    for number, counts in enumerate(shards):
        for part in (TRAIN, HELD_OUT, GOLD):
            file = _shard_file(folder, part, number)
            if getattr(counts, _count_of(part)) and not file.exists():
                raise ValueError(
                    f"'{file}' is missing, which has answers of an earlier run. Put it back, or "
                    f"remove the folder '{folder}'."
                )
    return manifest


def _new_manifest(folder: Path, settings: Dict[str, Any]) -> Manifest:
    """Begin a manifest, before the answers: those of an interrupted run are known to be its own."""
    manifest = Manifest(settings)
    with _writing(folder, 0):
        _write_manifest(folder, manifest)
    return manifest


def _shard_file(folder: Path, part: str, number: int) -> Path:
    return folder / part / f"{number:06}.spacy"


def _count_of(part: str) -> str:
    """The name in `Counts` of the number of texts of a part."""
    return part.replace("-", "_")


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    data = {
        "settings": manifest.settings,
        "is_complete": manifest.is_complete,
        "shards": [vars(counts) for counts in manifest.shards],
    }
    with replace_file(folder / MANIFEST) as path:
        path.write_text(json.dumps(data), encoding="utf8")


def checksum_of(path: Optional[Path]) -> Optional[str]:
    """The CRC-32 of a file, or of all files in a folder with their names; None for None."""
    return None if path is None else checksum_of_files(path)


def check_gold(nlp: Language, examples: Iterable[Example], source: Path) -> None:
    """Check that gold examples have something that the components of a pipeline learn from.

    nlp (Language): The pipeline that learns.
    examples (Iterable[Example]): The examples, of which those up to the first one with something
        are read.
    source (Path): The file, for the message.
    RAISES (ValueError): If none has anything.
    """
    pipes = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, RNNPipe)]
    if pipes and all(pipe.lacks_annotation(eg) for eg in examples for pipe in pipes):
        needed = dict.fromkeys(name for pipe in pipes for name in pipe.gold_annotation)
        raise ValueError(
            f"'{source}' has no {' or '.join(needed)}, of which the student needs gold labels. Use "
            f"other data, or leave it out."
        )


def check_answers(nlp: Language, teachers: Callable[[], Teachers], docs: Sequence[Doc]) -> None:
    """Check that teachers set what the components of a pipeline learn from.

    nlp (Language): The pipeline that learns.
    teachers (Callable[[], Teachers]): Returns the teachers.
    docs (Sequence[Doc]): Their first answers.
    RAISES (ValueError): If something is missing in all of them.
    """
    annotated = [doc.copy() for doc in docs]
    for doc in annotated:
        set_best_labels(doc)
    examples = [Example(doc, doc) for doc in annotated]
    missing = [
        f"'{name}' learns from {' or '.join(pipe.gold_annotation)}"
        for name, pipe in nlp.pipeline
        if isinstance(pipe, RNNPipe) and examples and all(map(pipe.lacks_annotation, examples))
    ]
    if missing:
        names = [name for each in teachers().teachers for name in each.pipe_names]
        raise ValueError(
            f"The teacher does not answer what is asked: {'; '.join(missing)}, which it does not "
            f"set (its components: {', '.join(names) or 'none'}). Choose another teacher, or leave "
            f"the component out of the config."
        )
