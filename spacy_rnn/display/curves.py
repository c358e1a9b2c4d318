"""Plots of curves over steps, in panels one below the other."""

from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from ..optional import optional_import

WIDTH, HEIGHT = 8.0, 2.2  # of a panel, inches


class Panel(NamedTuple):
    """Curves with a common scale.

    title (str): The title of the panel.
    curves (Mapping[str, ndarray]): By name, a value for each step; values that are not finite leave
        a gap.
    log (bool): Use a logarithmic scale.
    spreads (Mapping[str, ndarray]): By name of a curve, its lower and upper bounds (2, steps).
    """

    title: str
    curves: Mapping[str, np.ndarray]
    log: bool = False
    spreads: Mapping[str, np.ndarray] = {}


def figure_class() -> Any:
    """Import matplotlib's Figure, without pyplot, which keeps figures and may need a screen.

    RETURNS (type): The class.
    RAISES (ImportError): If matplotlib is not installed.
    """
    with optional_import("matplotlib", "Drawing curves", ", or write data or a table"):
        from matplotlib.figure import Figure
    return Figure


def save_curves(path: Path, steps: Sequence[int], panels: Sequence[Panel], x: str = "step") -> None:
    """Write a picture of the panels that have curves.

    path (Path): The picture; its suffix determines the format.
    steps (Sequence[int]): The positions on the x-axis.
    panels (Sequence[Panel]): The panels.
    x (str): The label of the x-axis.
    RAISES (ImportError): If matplotlib is not installed.
    """
    panels = [panel for panel in panels if panel.curves]
    figure = figure_class()(figsize=(WIDTH, HEIGHT * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (title, curves, log, spreads) in zip(rows, panels, strict=True):
        lines = [
            axes.plot(steps, np.where(np.isfinite(curve), curve, np.nan), marker=".")[0]
            for curve in curves.values()
        ]
        for line, name in zip(lines, curves, strict=True):
            if name in spreads:
                axes.fill_between(steps, *spreads[name], color=line.get_color(), alpha=0.15)
        axes.set_title(title, loc="left")
        axes.grid(alpha=0.3)
        if log and any((curve > 0).any() for curve in curves.values()):
            axes.set_yscale("log")
        # Next to the curves, where it hides none. Names with dollar signs are not formulas.
        legend = axes.legend(lines, list(curves), loc="upper left", bbox_to_anchor=(1, 1))
        for text in legend.get_texts():
            text.set_parse_math(False)
    rows[-1].set_xlabel(x)
    figure.savefig(path)
