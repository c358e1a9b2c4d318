"""A text as HTML, with a shade for each token, in the markup of displaCy's entities.

Positive numbers are blue, negative ones orange, as in `spacy_rnn.display.heatmap`, the stronger the
farther from 0.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from .heatmap import BLUE, ORANGE
from .labels import printable

STRONGEST = 0.6  # opacity under black letters

# With colors of its own, it looks the same in any page. A text is laid out by its own direction.
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


def shading(tokens: Sequence[str], scores: np.ndarray, *, title: str) -> str:
    """The markup. Tooltips tell the numbers.

    tokens: what cannot be seen of them is escaped.
    scores: float (tokens,), of any size.
    title: stands above.
    RAISES (ValueError): If there is not one finite number for each token.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.shape != (len(tokens),) or not np.isfinite(scores).all():
        raise ValueError(
            f"Each of {len(tokens)} tokens needs a finite number; got {scores.tolist()}."
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
