"""Show what networks do, as displaCy shows what pipelines find: markup, or pictures in Jupyter."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Dict, Optional, Union

from spacy.tokens import Doc
from spacy.util import is_in_jupyter

from . import heatmap

if TYPE_CHECKING:
    from ..pipeline.translator import Alignment, RNNTranslator

PAGE = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>spacy-rnn</title>
</head>
<body style="font-size: 16px; font-family: Arial, sans-serif; padding: 2rem">
{content}
</body>
</html>
"""
FIGURE = '<figure style="margin: 0 0 3rem; overflow-x: auto">\n{content}\n</figure>'


def attention(
    docs: Union[Iterable[Doc], Doc],
    translator: "RNNTranslator",
    *,
    page: bool = False,
    jupyter: Optional[bool] = None,
) -> str:
    """Show what a translator looks at: for each sentence a heat map, with a row for each piece of
    its translation and a column for each of its tokens.

    docs (Union[Iterable[Doc], Doc]): Docs with sentence starts, as the translator gets them.
    translator (RNNTranslator): Translates them anew.
    page (bool): Render a whole HTML page.
    jupyter (bool): Override the detection of Jupyter.
    RETURNS (str): The markup, SVG or HTML; None in Jupyter, where it is shown.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    alignments = (alignment for of_doc in translator.align(docs) for alignment in of_doc)
    svgs = [heatmap.heatmap(**attention_matrix(alignment)) for alignment in alignments]
    return render(svgs, page=page, jupyter=jupyter)


def attention_matrix(alignment: "Alignment") -> Dict[str, Any]:
    """The attention of a translation, as arguments of `heatmap`, `save_png` and `table`."""
    return {
        "matrix": alignment.weights,
        "rows": alignment.pieces,
        "columns": [token.text for token in alignment.source],
        "title": alignment.source.text,
    }


def render(svgs: Iterable[str], *, page: bool = False, jupyter: Optional[bool] = None) -> str:
    """Show pictures, one below the other.

    svgs (Iterable[str]): The pictures.
    page, jupyter, RETURNS: see `attention`.
    """
    if page:
        figures = "\n".join(FIGURE.format(content=svg) for svg in svgs)
        markup = PAGE.format(content=figures)
    else:
        markup = "\n".join(svgs)
    if jupyter or (jupyter is None and is_in_jupyter()):
        from IPython.display import HTML, display

        # Without the class, formulas would be looked for in it, as in displaCy.
        return display(HTML(f'<span class="tex2jax_ignore">{markup}</span>'))
    return markup
