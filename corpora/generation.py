"""The command line of the generators."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

#: writes a corpus to a directory, given a seed and the size of each part
Write = Callable[[Path, int, dict[str, int]], None]


def run(name: str, write: Write, arguments: Sequence[str] | None, train: int = 1600) -> None:
    """Write a corpus with the options of the command line; `train` is the default size of that
    part."""
    parser = argparse.ArgumentParser(description=f"Generate the {name} corpus.")
    parser.add_argument("directory", type=Path, metavar="OUT_DIR")
    parser.add_argument("--seed", type=int, default=0)
    sizes = {"train": train, "dev": 200, "test": 300}
    for part, size in sizes.items():
        parser.add_argument(f"--{part}", type=int, default=size, help="number of texts")
    options = vars(parser.parse_args(arguments))
    write(options["directory"], options["seed"], {part: options[part] for part in sizes})
