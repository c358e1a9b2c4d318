"""The page of the service, in a browser."""

import json
import os

import pytest

from .browser import CHROMIUM, browser
from .models import make_all
from .server import served

pytest.importorskip("starlette", reason="needs the extra serve")

TEXT = "I like green eggs. She eats one ham . \U0001f373 They like <b>blue</b> ham"
#: the visible elements whose text has too little contrast with its background, as WCAG defines it
CONTRASTS = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((x) => {
      x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    });
  };
  const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((x) => x.nodeType === 3 && x.textContent.trim());
    if (!own || !node.getClientRects().length || node.tagName === "SCRIPT") continue;
    const backs = [];
    for (let at = node; at; at = at.parentElement) {
      backs.unshift(getComputedStyle(at).backgroundColor);
    }
    const [a, b] = [light(over([...backs, getComputedStyle(node).color])), light(over(backs))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push([node.tagName, node.textContent, ratio]);
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "all"
    make_all().to_disk(path)
    with served(path) as server:
        yield server.url


@pytest.fixture
def page(tmp_path):
    if CHROMIUM is None:
        assert os.environ.get("CI") != "true", "Install Chromium: apt-get install chromium."
        pytest.skip("needs Chromium")
    with browser(tmp_path / "profile") as page:
        yield page


def status_is(text):
    return f'document.querySelector("#status")?.textContent.startsWith({json.dumps(text)})'


def texts(page, selector):
    found = f"[...document.querySelectorAll({json.dumps(selector)})].map((x) => x.textContent)"
    return page.evaluate(found)


@pytest.mark.slow
def test_typing_with_only_the_keyboard(page, url):
    page.open(url, 1000)
    page.wait_for('document.activeElement?.id === "text" && document.title.startsWith("xx_")')
    page.type("I like gr")
    page.wait_for('document.querySelector("#suggestions button")?.textContent === "green"')
    page.press("ArrowDown", 40, modifiers=1)
    assert page.evaluate("document.activeElement.textContent") == "green"
    page.press("Enter", 13)
    assert page.evaluate('document.querySelector("#text").value') == "I like green "
    assert page.evaluate("document.activeElement.id") == "text"
    page.type("eggs")
    page.press("Enter", 13, modifiers=2)
    page.wait_for(status_is("Done."))
    assert texts(page, ".tokens li span") == ["I", "like", "green", "eggs"]
    (mark,) = texts(page, ".entities mark")
    assert mark.startswith("green eggsFOOD ") and mark.endswith("%")
    assert texts(page, ".sentences li") == ["I like green eggs"]
    assert texts(page, ".bars span")[0] == "LIKE" and len(texts(page, ".bars span")) == 4
    titles = ["Tokens", "Sentences", "Entities", "Classes", "Regression", "Translation"]
    assert texts(page, "#results h2") == [*titles, "Perplexity"]
    assert "J'aime les œufs verts" in page.evaluate('document.querySelector("#results").innerText')
    assert texts(page, "thead th") == ["", "I", "like", "green", "eggs"]


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_a_link_with_a_text(width, dark, page, url, tmp_path):
    """All content fits the width and is readable, and controls have names."""
    page.open(url, width, dark)
    page.wait_for('document.title.startsWith("xx_")')
    page.requests.clear()
    page.evaluate(f'location.search = "?text=" + encodeURIComponent({json.dumps(TEXT)})')
    page.wait_for(f"location.search && {status_is('Done.')}")
    # Positions are correct after a character of two UTF-16 units, and texts are not read as HTML.
    assert "".join(texts(page, ".sentences li")).endswith("\U0001f373 They like <b>blue</b> ham")
    assert texts(page, "b b") == [] and "b>blue" in texts(page, ".entities")[0]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRASTS) == []
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") is not dark
    assert page.named("textbox") == ["Text"] and "Predict" in page.named("button")
    assert all(page.named("button"))
    assert "Predictions" in page.named("region") and page.named("status")
    assert all(request.startswith((url, "data:")) for request in page.requests)
    picture = tmp_path / "page.png"
    page.screenshot(picture)
    if "SPACY_RNN_SCREENSHOTS" in os.environ:
        picture.rename(
            f"{os.environ['SPACY_RNN_SCREENSHOTS']}/{width}-{'dark' if dark else 'light'}.png"
        )


@pytest.mark.slow
def test_messages(page, url):
    page.open(f"{url}/?text={'a' * 3000}", 800)
    page.wait_for(status_is("Done."))
    page.evaluate('document.querySelector("#text").value = "a".repeat(20001)')
    page.evaluate('document.querySelector("#form").requestSubmit()')
    page.wait_for(status_is("Text 1 has 20001 characters; at most 20000 are allowed"))
    assert page.evaluate('document.querySelector("#status").className') == "error"
