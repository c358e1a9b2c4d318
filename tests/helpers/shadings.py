"""The elements of shaded texts."""

from xml.etree import ElementTree


def elements(markup, kind):
    found = ElementTree.fromstring(markup).iter()
    return [element for element in found if f"shading-{kind}" in element.get("class", "").split()]
