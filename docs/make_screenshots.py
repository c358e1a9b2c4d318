"""Make the pictures of attention, saliency and hidden states in the documentation: screenshots by
Chromium of what `spacy_rnn.viz` renders.

    python docs/make_screenshots.py FOLDER

FOLDER has the project's folder `training`, by `python -m spacy project run all`.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import spacy
from matplotlib.image import imread, imsave

from spacy_rnn import viz

IMAGES = Path(__file__).parent / "images"
WIDTH, MARGIN = 760, 16  # pixels


def main() -> None:
    """Render the pictures of the trained pipelines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the project was run")
    training = parser.parse_args().folder / "training"
    tagger = spacy.load(training / "agreement" / "model-best")
    translator = spacy.load(training / "parallel" / "model-best")
    recognizer = spacy.load(training / "news" / "model-best")
    tagged = tagger("The dogs near the old barn were asleep.")
    recognized = recognizer("Lincoln said that the Lincoln went on sale in Lincoln.")
    translated = translator("The actresses were younger than the queen.")
    tags, entities, translations = (
        nlp.get_pipe(nlp.pipe_names[-1]) for nlp in (tagger, recognizer, translator)
    )
    pages = {
        "attention": viz.attention(translated, translations, page=True, jupyter=False),
        "saliency": viz.saliency(recognized, entities, token=4, page=True, jupyter=False),
        "states": viz.states(tagged, tags, top=8, page=True, jupyter=False),
    }
    IMAGES.mkdir(exist_ok=True)
    for name, page in pages.items():
        take(page, IMAGES / f"{name}.png")


def take(page: str, path: Path) -> None:
    """Take a screenshot of a page, and cut off what is empty.

    page (str): The HTML page.
    path (Path): The PNG file to write.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise FileNotFoundError(
            "There is no Chromium. Install it, such as by 'apt install chromium'."
        )
    with tempfile.TemporaryDirectory() as folder:
        html, png = Path(folder) / "page.html", Path(folder) / "page.png"
        html.write_text(page, encoding="utf8")
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH},2000",
            "--blink-settings=preferredColorScheme=1",
            f"--screenshot={png}",
        ]
        subprocess.run([browser, *options, html.as_uri()], check=True, capture_output=True)
        pixels = imread(png)
    drawn = (pixels != pixels[-1, -1]).any(axis=2)
    bottom, right = (int(np.flatnonzero(drawn.any(axis=axis))[-1]) for axis in (1, 0))
    imsave(path, pixels[: bottom + MARGIN, : right + MARGIN])


if __name__ == "__main__":
    main()
