"""Heat maps, shaded texts, curves and tables."""

from collections.abc import Iterable
from typing import Optional

from spacy.util import is_in_jupyter

from .style import DARK, FONT, LIGHT, MARGIN

PAGE = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>spacy-rnn</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: {margin}px; font-family: {font}; background: {light.page} }}
@media (prefers-color-scheme: dark) {{ body {{ background: {dark.page} }} }}
</style>
</head>
<body>
{content}
</body>
</html>
"""
FIGURE = '<figure style="margin: 0 0 3rem; overflow-x: auto">\n{content}\n</figure>'


def render(svgs: Iterable[str], *, page: bool = False, jupyter: Optional[bool] = None) -> str:
    """Render pictures, one below the other.

    svgs (Iterable[str]): The pictures, SVG or HTML.
    page (bool): Render a whole HTML page.
    jupyter (Optional[bool]): Override the detection of Jupyter.
    RETURNS (str): The markup, SVG or HTML; None in Jupyter, which displays it.
    """
    if page:
        figures = "\n".join(FIGURE.format(content=svg) for svg in svgs)
        markup = PAGE.format(content=figures, font=FONT, margin=MARGIN, light=LIGHT, dark=DARK)
    else:
        markup = "\n".join(svgs)
    if jupyter or (jupyter is None and is_in_jupyter()):
        from IPython.display import HTML, display

        # As in displaCy: without the class, MathJax would look for formulas.
        return display(HTML(f'<span class="tex2jax_ignore">{markup}</span>'))
    return markup
