"""Write the meta.json for the package of a pipeline.

    python corpora/meta.py PIPELINE META.json OUT.json [--scores SCORES.json ...]

OUT.json has the content of the meta.json of PIPELINE; the description, the license and the sources
of META.json; the scores, including the speed, that `python -m spacy evaluate` wrote, where those of
later files replace those of earlier ones; and the size of each component in MB.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import srsly
from wasabi import msg

from spacy_rnn.cli.io import size_of

#: the required descriptions of a pipeline and of each of its corpora
NEEDED = ("description", "license", "sources")
NEEDED_OF_SOURCE = ("name", "url", "license")


def size_mb(path: Path) -> float:
    return round(size_of(path) / 1e6, 2)


def check(about: dict[str, Any], path: Path) -> None:
    """Stop if the pipeline or one of its corpora is not described."""
    sources = about.get("sources", [])
    missing = [name for name in NEEDED if not about.get(name)]
    missing += [
        f"{name} of a source" for s in sources for name in NEEDED_OF_SOURCE if name not in s
    ]
    if missing:
        msg.fail(f"{path} lacks: {', '.join(missing)}", exits=1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", type=Path, metavar="PIPELINE")
    parser.add_argument("about", type=Path, metavar="META.json")
    parser.add_argument("output", type=Path, metavar="OUT.json")
    parser.add_argument("--scores", type=Path, nargs="+", default=[], metavar="SCORES.json")
    options = parser.parse_args(arguments)
    about = srsly.read_json(options.about)
    check(about, options.about)
    meta = srsly.read_json(options.pipeline / "meta.json")
    performance: dict[str, Any] = {}
    for path in options.scores:
        performance |= {k: v for k, v in srsly.read_json(path).items() if v is not None}
    sizes = {name: size_mb(options.pipeline / name) for name in meta["components"]}
    sizes["total"] = size_mb(options.pipeline)
    srsly.write_json(
        options.output, {**meta, **about, "performance": performance, "size_mb": sizes}
    )
    msg.good(f"Wrote {options.output}")


if __name__ == "__main__":
    main()
