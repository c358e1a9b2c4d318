"""A hook of MkDocs: links that leave the folder of the documentation lead to the repository."""

import posixpath
import re


def on_page_markdown(markdown, *, page, config, files):
    """Replace relative links out of `docs` by addresses.

    markdown (str): The text of the page.
    page (Page): The page.
    config (MkDocsConfig): The configuration, with the address of the repository.
    files (Files): The files of the site.
    RETURNS (str): The text with the links replaced.
    """
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def replace(match):
        path, anchor = posixpath.normpath(posixpath.join(folder, match[1])), match[2] or ""
        if path.startswith("docs/"):
            return match[0]
        return f"]({config.repo_url}/blob/main/{path}{anchor})"

    return re.sub(r"\]\((\.\./[^)\s#]+)(#[^)\s]+)?\)", replace, markdown)
