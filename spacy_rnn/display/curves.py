"""Plots of curves over steps, in panels one below the other."""

from pathlib import Path
from typing import Any, Collection, Mapping, NamedTuple, Sequence

import numpy as np

from ..optional import optional_import
from .style import figure_style

WIDTH, HEIGHT = 8.0, 2.4  # of a panel, inches


class Panel(NamedTuple):
    """Curves with a common scale.

    title (str): The title of the panel, the name of the y-axis.
    curves (Mapping[str, ndarray]): By name, a value for each step; values that are not finite leave
        a gap.
    log (bool): Use a logarithmic scale.
    spreads (Mapping[str, ndarray]): By name of a curve, its lower and upper bounds (2, steps).
    dashed (Collection[str]): Names of curves that may coincide with others. They are dashed and in
        front, so that both can be seen.
    """

    title: str
    curves: Mapping[str, np.ndarray]
    log: bool = False
    spreads: Mapping[str, np.ndarray] = {}
    dashed: Collection[str] = ()


def figure_class() -> Any:
    """Import matplotlib's Figure, without pyplot, which keeps figures and may need a screen.

    RETURNS (type): The class.
    RAISES (ImportError): If matplotlib is not installed.
    """
    with optional_import("matplotlib", "Drawing curves", ", or write data or a table"):
        from matplotlib.figure import Figure
    return Figure


def save_curves(
    path: Path, steps: Sequence[int], panels: Sequence[Panel], *, title: str, x: str
) -> None:
    """Write a picture of the panels that have curves.

    path (Path): The picture; its suffix determines the format.
    steps (Sequence[int]): The positions on the x-axis.
    panels (Sequence[Panel]): The panels.
    title (str): The title above all panels.
    x (str): The label of the x-axis.
    RAISES (ImportError): If matplotlib is not installed.
    """
    make_figure = figure_class()
    from matplotlib import rc_context

    panels = [panel for panel in panels if panel.curves]
    with rc_context(figure_style()):
        figure = make_figure(figsize=(WIDTH, HEIGHT * len(panels)), layout="constrained")
        figure.suptitle(title, x=0, ha="left")
        rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(rows, panels, strict=True):
            _draw(axes, steps, panel)
        rows[-1].set_xlabel(x)
        figure.savefig(path)


def _draw(axes: Any, steps: Sequence[int], panel: Panel) -> None:
    lines = []
    for name, curve in panel.curves.items():
        way: Any = {"marker": "."}
        if name in panel.dashed:
            way = {"linestyle": (0, (2, 3)), "linewidth": 2.5, "color": "black", "zorder": 3}
        (line,) = axes.plot(steps, np.where(np.isfinite(curve), curve, np.nan), **way)
        lines.append(line)
        if name in panel.spreads:
            axes.fill_between(steps, *panel.spreads[name], color=line.get_color(), alpha=0.15)
    axes.set_title(panel.title)
    axes.grid(alpha=0.3)
    positive = [curve[np.isfinite(curve) & (curve > 0)] for curve in panel.curves.values()]
    if panel.log and any(map(len, positive)):
        _scale_logarithmically(axes, np.concatenate(positive))
    # Next to the curves, where it hides none.
    axes.legend(lines, list(panel.curves), loc="upper left", bbox_to_anchor=(1, 1))


def _scale_logarithmically(axes: Any, values: np.ndarray) -> None:
    """Few ticks with plain numbers: 1, 2 and 5 of each decade, or some decades if there are many.

    values (ndarray): The positive values to show.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    subs = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
