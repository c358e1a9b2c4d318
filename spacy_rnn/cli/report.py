"""Tables of the report of ``python -m spacy rnn inspect``."""

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence

from wasabi import msg

from ..display.strings import shorten

if TYPE_CHECKING:
    from ..inspection.labels import Target
    from ..inspection.report import ComponentReport, Report
    from ..inspection.vocabulary import Vocabulary

#: the maximum number of rows in a table of labels
MOST_LABELS = 20
#: the length of the longest bar, in characters
BAR = 24


def print_report(report: "Report", warnings: Sequence[str]) -> None:
    """Print a report and its warnings.

    report (Report): The report.
    warnings (Sequence[str]): The warnings.
    """
    corpora = {"train": report.train, "dev": report.dev}
    msg.divider("Corpora")
    if report.streamed:
        msg.info("The corpora are streamed: only the first documents are counted.")
    _table(
        ("corpus", "documents", "empty", "tokens", "mean length", "max length"),
        [
            (name, c.documents, c.empty, c.tokens, f"{c.mean:.1f}", c.longest)
            for name, c in corpora.items()
        ],
    )
    _table(
        ("tokens", "train", "", "dev", ""),
        _bars([corpus.lengths for corpus in corpora.values()]),
        aligns="lrlrl",
    )
    msg.text(f"Dev documents also in train (leakage): {report.leaked:,}")
    for name, component in report.components.items():
        msg.divider(f"{name} ({component.factory})")
        _print_component(component)
    msg.divider("Warnings")
    for warning in warnings:
        msg.warn(warning)
    if not warnings:
        msg.good("None.")


def _print_component(component: "ComponentReport") -> None:
    for side, of_side in component.vocabularies.items():
        _print_vocabularies(side, of_side)
    for name, target in component.targets.items():
        _print_target(name, target)
    memory = component.memory
    # Streams are counted in units.
    units = "tokens" if component.bounds.step is None else "units"
    training = memory.weights + memory.gradients + memory.optimizer + (memory.activations or 0)
    activations = "?" if memory.activations is None else _megabytes(memory.activations)
    _table(
        ("memory", "MB"),
        [
            (f"weights: {memory.parameters:,} parameters", _megabytes(memory.weights)),
            (f"gradients: {memory.trained:,} trained parameters", _megabytes(memory.gradients)),
            ("optimizer", _megabytes(memory.optimizer)),
            (f"activations: largest batch of {memory.batch:,} {units}", activations),
            ("training, total", _megabytes(training)),
            (
                f"prediction: batch of {memory.prediction_batch:,} {units}",
                _megabytes(memory.prediction),
            ),
            ("vectors of all components", _megabytes(memory.vectors)),
        ],
    )
    msg.text(
        "Activations and prediction are measured on some documents and extrapolated to the largest "
        "batch. Python, spaCy and the corpora need additional memory."
    )


def _print_vocabularies(side: str, vocabularies: Mapping[str, "Vocabulary"]) -> None:
    words: List[Sequence[Any]] = []
    units: List[Sequence[Any]] = []
    for name, v in vocabularies.items():
        for part, c in (("train", v.train), ("dev", v.dev)):
            unknown = (c.types, _percent(c.unknown_types), c.tokens, _percent(c.unknown_tokens))
            words.append((name, v.size, part, *unknown))
            if max(v.train.longest, v.dev.longest) > 1:
                spelled = (f"{c.mean:.2f}", c.most_words, c.longest, _percent(c.unknown_units))
                units.append((name, part, *spelled))
    if words:
        _table(
            (side, "size", "", "distinct", "unknown", "words", "unknown"), words, aligns="lrlrrrr"
        )
    if units:
        _table(
            (f"{side}: units per word", "", "mean", "95 %", "max", "unknown"),
            units,
            aligns="llrrrr",
        )
    for name, v in vocabularies.items():
        if v.missing:
            msg.text(f"Dev words unknown to {name}: {', '.join(map(shorten, v.missing))}")


def _print_target(name: str, target: "Target") -> None:
    from ..inspection.labels import NumberTarget

    if isinstance(target, NumberTarget):
        _table(
            (name, "documents", "mean", "std", "lowest", "highest"),
            [
                (part, s.documents, *(f"{x:.4g}" for x in (s.mean, s.std, s.lowest, s.highest)))
                for part, s in (("train", target.train), ("dev", target.dev))
                if s is not None
            ],
        )
        return
    train, dev = target.train, target.dev
    labels = list(dict.fromkeys([*train.counts, *dev.counts]))
    rows: List[Sequence[Any]] = [
        (shorten(label), *_share(train.counts, label), *_share(dev.counts, label))
        for label in labels
    ]
    if len(rows) > MOST_LABELS:
        half = MOST_LABELS // 2
        rows = [*rows[:half], (f"... {len(rows) - 2 * half} more", "", "", "", ""), *rows[-half:]]
    _table((f"{name}: {len(labels)} labels", "train", "", "dev", ""), rows)
    for part, counts in (("train", train), ("dev", dev)):
        msg.text(
            f"{part}: {counts.documents} annotated documents, with {counts.per_document:.2f} "
            f"labels on average."
        )


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]], aligns: str = "") -> None:
    aligns = aligns or "l" + "r" * (len(header) - 1)
    data = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    msg.table(data, header=header, divider=True, aligns=list(aligns), max_col=60)


def _bars(histograms: Sequence[Mapping[str, int]]) -> List[Sequence[Any]]:
    """Make a row for each range of lengths, with the number and a bar for each histogram."""
    ranges = sorted({r for h in histograms for r in h}, key=lambda r: int(r.split("-")[0]))
    most = [max(h.values()) for h in histograms]
    rows: List[Sequence[Any]] = []
    for r in ranges:
        row: List[Any] = [r]
        for histogram, largest in zip(histograms, most, strict=True):
            n = histogram.get(r, 0)
            row += [n, "#" * round(BAR * n / largest)]
        rows.append(row)
    return rows


def _share(counts: Dict[str, int], label: str) -> Sequence[Any]:
    n = counts.get(label, 0)
    return n, _percent(n / max(sum(counts.values()), 1))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f}"
