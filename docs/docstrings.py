"""An extension of Griffe: the fields of docstrings in spaCy's style as Markdown lists."""

import re

import griffe

#: `name (type): meaning.`, `first, second (type): meaning.`, `RETURNS (type): meaning.`
FIELD = re.compile(r"([a-z_*]\w*(?:, [a-z_*]\w*)*|RETURNS|YIELDS|RAISES)(?: \((.+?)\))?: (.*)")


def to_markdown(text: str) -> str:
    """Convert a docstring.

    text (str): The docstring, with fields at the start of lines.
    RETURNS (str): Markdown with an item of a list for each field.
    """
    lines, in_fields = [], False
    for line in text.splitlines():
        field = FIELD.fullmatch(line)
        if field:
            names, kind, meaning = field.groups()
            if not in_fields:
                lines.append("")
            if names.isupper():
                names = f"*{names.capitalize()}*"
            else:
                names = ", ".join(f"`{name}`" for name in names.split(", "))
            lines.append(f"- {names}{f' (`{kind}`)' if kind else ''}: {meaning}")
            in_fields = True
        else:
            in_fields = in_fields and line.startswith("    ")
            lines.append(line)
    return "\n".join(lines)


class SpacyDocstrings(griffe.Extension):
    """Converts every docstring that is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)
