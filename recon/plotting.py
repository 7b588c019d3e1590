"""The figures: axes labelled with units, every signal and network in a look of its own.

Every function returns its matplotlib Figure, or draws into the axes that it is given and returns
theirs.
"""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator

from recon import checks

# One meaning a colour; line styles tell them apart in grey.
LOOKS = {
    "clean": ("#000000", "-"),
    "corrupted": ("#999999", "-"),
    "encoder-decoder": ("#cc79a7", (0, (5, 1))),
    "U-Net": ("#0072b2", "--"),
    "network": ("#d55e00", "-"),
    "oracle": ("#000000", ":"),
}
SAME = dict.fromkeys(("step-hold", "untouched input", "held"), "corrupted")
SAME |= dict.fromkeys(("unrolled", "mixture", "network that ships", "trained further"), "network")
OTHERS = [
    ("#009e73", "-."), ("#8c6d00", (0, (8, 3))), ("#56b4e9", (0, (3, 1, 1, 1))), ("#5e3c99", ":"),
    ("#777777", (0, (8, 2, 1, 2))), ("#b2182b", (0, (2, 4))), ("#1b7837", "--"), ("#000000", "-."),
]  # fmt: skip


def style():
    """Set how all figures look; called once, in the setup cell of a notebook."""
    plt.rc("axes", grid=True, titlesize="medium")
    plt.rc("axes.spines", right=False, top=False)
    plt.rc("figure", dpi=100)
    plt.rc("figure.constrained_layout", use=True)
    plt.rc("grid", alpha=0.3)
    plt.rc("legend", frameon=False)


def _looks(labels):
    """{label: {"color", "linestyle"}}: that of its name where it has one, else one that is free."""
    free = cycle(OTHERS)
    chosen = {label: LOOKS.get(SAME.get(label, label)) or next(free) for label in labels}
    return {label: {"color": c, "linestyle": s} for label, (c, s) in chosen.items()}


def _axes(ax, rows=1, columns=1, *, size, **options):
    """(figure, axes [rows * columns]): new ones, or those that are given."""
    if ax is not None:
        axes, rule = np.ravel(ax), f"ax must be {rows * columns} axes"
        usable = len(axes) == rows * columns and all(isinstance(one, plt.Axes) for one in axes)
        checks.require(usable, rule, repr(ax))
        return axes[0].figure, axes
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    return figure, axes.ravel()


def _legend(axes):
    """The legend to the right of the axes, where it hides nothing; none if nothing is labelled."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def waveforms(panels, *, x=None, xlabel="time, samples", steps=(), ax=None):
    """Waveforms over time, one panel under another.

    Args:
        panels: {title: {label: array [n_samples]}}.
        x: array [n_samples] for the horizontal axis; the sample numbers if None.
        xlabel: its name and unit.
        steps: labels to draw as steps, as a converter would hold them.
        ax: axes to draw into, one per panel; new ones if None.
    """
    size = (8.5, 0.5 + 1.7 * len(panels))
    figure, rows = _axes(ax, len(panels), sharex=True, size=size)
    for axes, (title, series) in zip(rows, panels.items(), strict=True):
        for label, look in _looks(series).items():
            values = checks.SIGNAL(f"panels[{title!r}][{label!r}]", series[label])
            positions = np.arange(len(values)) if x is None else x
            checks.alike(x=positions, panels=values)
            how = {"drawstyle": "steps-post"} if label in steps else {}
            axes.plot(positions, values, label=label, **how, **look)
        axes.set(title=title, ylabel="amplitude")
        _legend(axes)
    rows[-1].set_xlabel(xlabel)
    return figure


def examples(batches, rows, *, steps=(), ax=None):
    """Some waveforms of a batch, one panel each.

    Args:
        batches: {label: array [batch, n_samples, 1]}.
        rows: {title: index into the batch}.
        steps, ax: as in `waveforms`.
    """
    fewest = min(map(len, batches.values()))
    checks.require(max(rows.values()) < fewest, f"rows must be below {fewest}", rows)
    panels = {
        title: {label: batch[row, :, 0] for label, batch in batches.items()}
        for title, row in rows.items()
    }
    return waveforms(panels, steps=steps, ax=ax)


def training(records, levels, *, ax=None):
    """Validation error against seconds of training, with levels to compare as lines.

    Args:
        records: {network: what `training.fit` returned}.
        levels: {label: mean squared error}, baselines and the limit.
        ax: axes to draw into; new ones if None.
    """
    figure, (axes,) = _axes(ax, size=(8.5, 3.6))
    for label, look in _looks(records).items():
        record = records[label]
        curves = {"second", "validation_mse"} <= set(record)
        checks.require(curves, "records must be of training.fit", list(record))
        seconds = checks.samples("second", record["second"], shape=("rounds",))
        errors, like = record["validation_mse"], {"shape": seconds.shape, "finite": False}
        errors = checks.samples("validation_mse", errors, **like)
        axes.loglog(seconds, errors, marker=".", label=label, **look)
    for (label, level), (_, line) in zip(levels.items(), cycle(OTHERS)):
        label = label if level else f"{label}: 0"  # which has no place on a logarithm
        axes.axhline(level, color="#777777", linestyle=line, linewidth=1, label=label)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set(xlabel="training time, s", ylabel="validation error, MSE")
    _legend(axes)
    return figure


def curves(x, series, *, xlabel, ylabel, marks=None, ax=None):
    """One curve per method over a swept quantity.

    Args:
        x: array of the swept quantity.
        series: {label: array like x}.
        xlabel, ylabel: names and units.
        marks: {label: x} for vertical lines.
        ax: axes to draw into; new ones if None.
    """
    figure, (axes,) = _axes(ax, size=(8.5, 3.6))
    for label, look in _looks(series).items():
        values = checks.samples(f"series[{label!r}]", series[label], shape=x.shape, finite=False)
        axes.plot(x, values, marker="o", markersize=3, label=label, **look)
    for label, place in (marks or {}).items():
        axes.axvline(place, color="#777777", linestyle=":", label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    _legend(axes)
    return figure


def spectrograms(signals, sample_rate, *, ax=None):
    """Power over time and frequency, one panel per signal, all on one scale of 80 dB, 5 a shade.

    Args:
        signals: {title: array [n_samples]}.
        sample_rate: Hz.
        ax: axes to draw into, one per signal; new ones if None.
    """
    size = (3.2 * len(signals) + 0.8, 3.6)
    figure, row = _axes(ax, 1, len(signals), sharex=True, sharey=True, size=size)
    window = 2 ** max(3, round(np.log2(sample_rate / 30)))  # samples, some 30 ms
    top = None
    for axes, (title, values) in zip(row, signals.items(), strict=True):
        values = checks.SIGNAL(f"signals[{title!r}]", values)
        rule = f"signals[{title!r}] must be {window * 5 // 4} samples or more"  # two columns
        checks.require(len(values) >= window * 5 // 4, rule, len(values))
        spectrum, _, _, image = axes.specgram(
            values + 1e-9 * np.cos(np.arange(len(values))),  # digital silence has no logarithm
            NFFT=window, noverlap=window * 3 // 4, Fs=sample_rate, scale="dB",
            cmap=plt.get_cmap("magma", 16), interpolation="nearest",
        )  # fmt: skip
        top = 10 * np.log10(spectrum.max()) if top is None else top
        image.set_clim(top - 80, top)
        axes.set(title=title, xlabel="time, s", ylabel="frequency, kHz")
        axes.yaxis.set_major_formatter(lambda hz, _: f"{hz / 1000:g}")
        axes.label_outer()
        axes.grid(False)
    figure.colorbar(image, ax=list(row), label="power density, dB")
    return figure


def _ordered(name, values):
    """Numbers, each above the one before, or each below it."""
    values = checks.RULES["x"](name, values)
    steps = np.sign(np.diff(values))
    checks.require(abs(steps.sum()) == len(steps), f"{name} must rise or fall", values)
    return values


@checks.checked(panels=checks.named, x=_ordered, y=_ordered)
def maps(panels, x, y, *, xlabel, ylabel, label, ax=None):
    """Numbers over two quantities, one panel per map, all on one scale.

    Args:
        panels: {title: array [len(y), len(x)]}.
        x, y: arrays of the two quantities.
        xlabel, ylabel, label: names and units, of the axes and of the numbers.
        ax: axes to draw into, one per map; new ones if None.
    """
    size = (4.2 * len(panels) + 1, 3.6)
    figure, row = _axes(ax, 1, len(panels), sharex=True, sharey=True, size=size)
    for title, values in panels.items():
        checks.samples(f"panels[{title!r}]", values, shape=(len(y), len(x)))
    low, high = (f([f(values) for values in panels.values()]) for f in (np.min, np.max))
    for axes, (title, values) in zip(row, panels.items(), strict=True):
        image = axes.pcolormesh(x, y, values, cmap="magma", vmin=low, vmax=high, shading="nearest")
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axes.label_outer()
        axes.grid(False)
    figure.colorbar(image, ax=list(row), label=label)
    return figure


def overview(panels, sounds, sample_rate, *, steps=()):
    """An experiment at a glance: waveforms on the left, spectrograms of a recording on the right.

    Args:
        panels, steps: as in `waveforms`; the titles tell what is drawn.
        sounds, sample_rate: as in `spectrograms`.
    """
    figure = plt.figure(figsize=(10, 1.1 * len(panels) + 0.6))
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    waveforms(panels, steps=steps, ax=left.subplots(len(panels), 1, sharex=True, sharey=True))
    for legend in filter(None, map(plt.Axes.get_legend, left.axes)):
        legend.remove()
    spectrograms(sounds, sample_rate, ax=right.subplots(len(sounds), 1, sharex=True, sharey=True))
    return figure


checks.guard(__name__, steps=checks.texts)
