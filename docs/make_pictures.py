"""Draw the session of the README with the pipelines of `python -m spacy project run all`.

    python docs/make_pictures.py FOLDER

FOLDER has the project's folder `training`. Prints the session, too.
"""

import argparse
import io
import os
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

#: the pipelines of the session, by the names of their corpora
TRAINED = ("agreement", "news", "parallel")
#: none of its texts is in the training data
SESSION = """\
import spacy
tagger = spacy.load("training/agreement/model-best")
doc = tagger("The sheep near the barn were here.")
print(*[f"{token.text}/{token.tag_}" for token in doc])
recognizer = spacy.load("training/news/model-best")
doc = recognizer("Lincoln said that the Lincoln went on sale in Lincoln.")
print([(entity.text, entity.label_) for entity in doc.ents])
translator = spacy.load("training/parallel/model-best")
doc = translator("The actresses were younger than the queen.")
print(doc._.translation)
"""


def main() -> None:
    """Draw the session."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the project was run")
    draw(parser.parse_args().folder, Path(__file__).parent / "images" / "session.svg")


def draw(folder: Path, picture: Path) -> None:
    """Run the session.

    folder (Path): Where the project was run.
    picture (Path): The SVG file to write.
    """
    console = Console(record=True, width=80, color_system="truecolor", force_terminal=True)
    picture = picture.absolute()
    os.chdir(folder)
    names: dict = {}
    for line in SESSION.splitlines():
        prompt = f">>> {line}"
        console.print(Syntax(prompt, "pycon", theme="monokai", background_color="default"))
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(line, names)
        console.print(printed.getvalue(), end="", highlight=False, markup=False)
    console.save_svg(str(picture), title="python")


if __name__ == "__main__":
    main()
