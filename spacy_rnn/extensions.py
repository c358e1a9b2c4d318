"""Doc extensions, shared by the components and the readers."""

from spacy.tokens import Doc


def set_doc_extension(name: str) -> None:
    """Make ``doc._.NAME`` known, unless it is already."""
    if not Doc.has_extension(name):
        Doc.set_extension(name, default=None)
