"""The elements of heat maps, and any text to show."""

from xml.etree import ElementTree

from hypothesis import strategies as st

#: with line breaks, control characters, lone surrogates, and what is no character at all
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=50)


def elements(svg, kind):
    found = ElementTree.fromstring(svg).iter()
    return [element for element in found if element.get("class") == f"heatmap-{kind}"]


def texts(svg, kind):
    return ["".join(element.itertext()) for element in elements(svg, kind)]
