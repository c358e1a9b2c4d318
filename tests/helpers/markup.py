"""The elements of heat maps, and arbitrary text to show."""

import re
from xml.etree import ElementTree

from hypothesis import strategies as st

from spacy_rnn.display.strings import display_width

#: includes line breaks, control characters, lone surrogates, and code points without a character
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=50)


def elements(svg, kind):
    found = ElementTree.fromstring(svg).iter()
    return [element for element in found if element.get("class") == f"heatmap-{kind}"]


def texts(svg, kind):
    return ["".join(element.itertext()) for element in elements(svg, kind)]


def boxes(svg, size=14):
    """An estimate of the box of each text that is not rotated: left, top, right and bottom."""
    found = []
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        place = r"translate\(([\d.-]+),([\d.-]+)\) rotate\(([\d-]+)\)"
        x, y, angle = map(float, re.fullmatch(place, element.get("transform")).groups())
        width = 0.5 * size * display_width("".join(element.itertext()))
        if angle == 0:
            x -= {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor")] * width
            found.append((x, y - 0.75 * size, x + width, y + 0.2 * size))
    return found
