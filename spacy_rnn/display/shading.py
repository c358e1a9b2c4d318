"""Shaded texts: HTML with a color for each token, in the markup of displaCy's entities.

Positive scores are blue and negative scores orange, as in `spacy_rnn.display.heatmap`.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from .heatmap import BLUE, ORANGE
from .strings import printable

STRONGEST = 0.6  # opacity under black letters

# The colors are set so that it looks the same in any page. The direction is that of the text.
TEXT = """\
<div class="shading" style="line-height: 2.2; padding: 0.5em; color: #000000; background: #ffffff; \
font-family: Arial, sans-serif">
<div class="shading-title" style="font-weight: bold">{title}</div>
<div class="shading-text" style="unicode-bidi: plaintext">
{tokens}
</div>
<div class="shading-legend" style="font-size: 0.8em">{legend}</div>
</div>"""
TOKEN = """\
<mark class="shading-{kind}" title="{value}" style="color: inherit; background: {color}; \
padding: 0.3em 0.25em; border-radius: 0.35em">{text}</mark>"""
LEGEND = "{raises} raises it, {lowers} lowers it. Both by {most:.3f} at most."


def render_shading(tokens: Sequence[str], scores: np.ndarray, *, title: str) -> str:
    """Render a text as HTML, with the scores as tooltips.

    tokens (Sequence[str]): The tokens. Characters that cannot be printed are escaped.
    scores (ndarray): The scores (tokens,), on any scale.
    title (str): The title above the text.
    RETURNS (str): The HTML markup.
    RAISES (ValueError): If there is not one finite score for each token.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.shape != (len(tokens),) or not np.isfinite(scores).all():
        raise ValueError(
            f"Each of {len(tokens)} tokens needs a finite score, got {scores.tolist()}."
        )
    most = np.abs(scores).max(initial=0.0)
    marks = [
        _mark("token", token, score / most if most else 0.0, f"{score:+.3f}")
        for token, score in zip(tokens, scores.tolist(), strict=True)
    ]
    legend = LEGEND.format(
        raises=_mark("key", "blue", 1.0), lowers=_mark("key", "orange", -1.0), most=most
    )
    return TEXT.format(title=escape(printable(title)), tokens="\n".join(marks), legend=legend)


def _mark(kind: str, text: str, strength: float, value: str = "") -> str:
    opacity = round(255 * STRONGEST * abs(strength))
    color = f"{ORANGE if strength < 0 else BLUE}{opacity:02x}"
    return TOKEN.format(kind=kind, text=escape(printable(text)), color=color, value=value)
