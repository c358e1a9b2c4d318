"""Links lead somewhere, the index names every page, and the page of the project is up to date."""

import shutil

import pytest
from weasel.cli.document import project_document

from ..helpers.pages import DOCS, OTHER_PAGES, PAGES, anchor, parts, title
from ..helpers.paths import ROOT

README, INDEX = ROOT / "README.md", DOCS / "README.md"


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES], ids=title)
def test_links_lead_somewhere(page):
    for line, link in parts(page).links:
        if "://" in link:
            assert link.startswith("https://"), f"{title(page)}:{line}: {link}"
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and ROOT in target.parents, f"{title(page)}:{line}: {link}"
        if fragment:
            anchors = [anchor(heading) for heading in parts(target).headings]
            assert fragment in anchors, f"{title(page)}:{line}: {link} is none of {anchors}"


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_a_page_has_one_title_and_no_heading_twice(page):
    text = page.read_text(encoding="utf8").partition("<!-- WEASEL")[0]
    assert text.startswith("# ")
    headings = [anchor(heading) for heading in parts(page).headings]
    assert len(set(headings)) == len(headings)


def test_the_index_names_every_page():
    linked = {link for _, link in parts(INDEX).links}
    pages = {page.relative_to(DOCS).as_posix() for page in PAGES if page not in (README, INDEX)}
    assert pages <= linked


def test_the_page_of_the_project_is_up_to_date(tmp_path):
    """It is as `spacy project document` writes it, except for the folder in a link."""
    shutil.copy(ROOT / "project.yml", tmp_path)
    written = tmp_path / "project.md"
    project_document(tmp_path, written)
    text = written.read_text(encoding="utf8").strip()
    text = text.replace("](project.yml)", "](../../project.yml)")
    assert text in (DOCS / "reference" / "project.md").read_text(encoding="utf8")
