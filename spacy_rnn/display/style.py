"""The look that all pictures share: colors, fonts and margins.

Positive values are blue and negative ones orange, which people with any color vision can
distinguish. SVG and HTML follow the color scheme of the reader's system, light or dark; pictures of
matplotlib are light.
"""

from typing import Any, NamedTuple

FAMILIES = ("Arial", "Liberation Sans", "DejaVu Sans", "sans-serif")
FONT = ", ".join(f"'{name}'" if " " in name else name for name in FAMILIES)
FONT_SIZE, MARGIN = 14, 16  # pixels


class Scheme(NamedTuple):
    """Colors of a picture.

    text (str), page (str): The text and what is behind it.
    grid (str): Lines between cells.
    positive (str), negative (str): The values of largest size.
    """

    text: str
    page: str
    grid: str
    positive: str
    negative: str


LIGHT = Scheme("#000000", "#ffffff", "#dddddd", "#08519c", "#a63603")
DARK = Scheme("#e6e6e6", "#1b1b1b", "#444444", "#6baed6", "#fd8d3c")

#: the colors of curves, in order
CURVES = (LIGHT.positive, "#e6550d", "#31a354", "#756bb1", "#dd3497", "#8c6d31", "#636363")


def figure_style() -> Any:
    """The parameters for matplotlib's `rc_context`. A user's `font.family` stays."""
    from matplotlib import rcParams
    from matplotlib.rcsetup import cycler

    return {
        # Pixels are those of the screen, of which an inch has 96.
        "font.sans-serif": [*FAMILIES[:-1], *rcParams["font.sans-serif"]],
        "font.size": FONT_SIZE * 0.72,
        "axes.titlesize": FONT_SIZE * 0.72,
        "axes.titlelocation": "left",
        "axes.prop_cycle": cycler(color=CURVES),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.titlesize": FONT_SIZE * 0.8,
        "figure.titleweight": "bold",
        "legend.frameon": False,
        # Names with dollar signs are not formulas.
        "text.parse_math": False,
        "savefig.pad_inches": MARGIN / 96,
        "savefig.bbox": "tight",
    }
