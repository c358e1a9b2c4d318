"""Shaded texts: HTML with a color for each token, in the markup of displaCy's entities.

Positive scores are blue and negative scores orange, as in `spacy_rnn.display.heatmap`.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from .strings import printable
from .style import DARK, FONT, FONT_SIZE, LIGHT, MARGIN, Scheme

STRONGEST = 0.6  # opacity under letters

# The direction is that of the text.
TEXT = """\
<div class="shading">
<style>
{css}
</style>
<div class="shading-title">{title}</div>
<div class="shading-text">
{tokens}
</div>
<div class="shading-legend">{legend}</div>
</div>"""
COLORS = """\
.shading {{ color: {scheme.text}; background: {scheme.page} }}
.shading-raises {{ background: rgb({positive} / var(--strength)) }}
.shading-lowers {{ background: rgb({negative} / var(--strength)) }}"""


def _colors(scheme: Scheme) -> str:
    positive, negative = (
        " ".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))
        for color in (scheme.positive, scheme.negative)
    )
    return COLORS.format(scheme=scheme, positive=positive, negative=negative)


CSS = f"""\
.shading {{ padding: {MARGIN}px; font: {FONT_SIZE}px/2.2 {FONT} }}
.shading-title {{ font-weight: bold }}
.shading-text {{ unicode-bidi: plaintext; font-size: 1.15em }}
.shading mark {{ color: inherit; padding: 0.3em 0.25em; border-radius: 0.35em }}
{_colors(LIGHT)}
@media (prefers-color-scheme: dark) {{
{_colors(DARK)}
}}"""
TOKEN = """\
<mark class="shading-{kind} shading-{effect}" title="{value}" style="--strength: {strength:.3f}">\
{text}</mark>"""
LEGEND = """\
{raises} raises the {name}, {lowers} lowers it; the strongest color by {largest:.3f}."""


def render_shading(
    tokens: Sequence[str], scores: np.ndarray, *, title: str, score_name: str
) -> str:
    """Render a text as HTML, with the scores as tooltips.

    tokens (Sequence[str]): The tokens. Characters that cannot be printed are escaped.
    scores (ndarray): The scores (tokens,), on any scale.
    title (str): The title above the text.
    score_name (str): What positive scores raise, for the legend.
    RETURNS (str): The HTML markup.
    RAISES (ValueError): If there is not one finite score for each token.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.shape != (len(tokens),) or not np.isfinite(scores).all():
        raise ValueError(
            f"Each of {len(tokens)} tokens needs a finite score, got {scores.tolist()}."
        )
    largest = np.abs(scores).max(initial=0.0)
    marks = [
        _mark("token", token, score / largest if largest else 0.0, f"{score:+.3f}")
        for token, score in zip(tokens, scores.tolist(), strict=True)
    ]
    legend = LEGEND.format(
        raises=_mark("key", "blue", 1.0),
        lowers=_mark("key", "orange", -1.0),
        name=escape(score_name),
        largest=largest,
    )
    return TEXT.format(
        css=CSS, title=escape(printable(title)), tokens="\n".join(marks), legend=legend
    )


def _mark(kind: str, text: str, score: float, value: str = "") -> str:
    return TOKEN.format(
        kind=kind,
        effect="lowers" if score < 0 else "raises",
        strength=STRONGEST * abs(score),
        text=escape(printable(text)),
        value=value,
    )
