"""The figures: axes labelled with units, every signal and network in a look of its own.

Every function returns its matplotlib Figure.
"""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator

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
COLORS = ["#009e73", "#8c6d00", "#56b4e9", "#5e3c99", "#777777", "#b2182b", "#1b7837", "#000000"]
STYLES = ["-.", (0, (8, 3)), (0, (3, 1, 1, 1)), ":", (0, (8, 2, 1, 2)), (0, (2, 4)), "--", "-."]
OTHERS = list(zip(COLORS, STYLES, strict=True))
BESIDE = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}  # where a legend hides nothing


def style():
    """Set how all figures look; called once, in the setup cell of a notebook."""
    plt.rc("axes", grid=True, titlesize="medium")
    plt.rc("axes.spines", right=False, top=False)
    plt.rc("figure.constrained_layout", use=True)
    plt.rc("grid", alpha=0.3)
    plt.rc("legend", frameon=False)


def _looks(labels):
    """{label: {"color", "linestyle"}}: that of its name where it has one, else one that is free."""
    free = cycle(OTHERS)
    chosen = {label: LOOKS.get(SAME.get(label, label)) or next(free) for label in labels}
    return {label: {"color": c, "linestyle": s} for label, (c, s) in chosen.items()}


def waveforms(panels, *, x=None, xlabel="time, samples", steps=(), figure=None):
    """Waveforms over time, one panel under another.

    Args:
        panels: {title: {label: array [n_samples]}}.
        x: array [n_samples] for the horizontal axis; the sample numbers if None.
        xlabel: its name and unit.
        steps: labels to draw as steps, as a converter would hold them.
        figure: to draw into; a new one if None.
    """
    figure = figure or plt.figure(figsize=(8.5, 0.5 + 1.7 * len(panels)))
    rows = np.ravel(figure.subplots(len(panels), sharex=True))
    for axes, (title, series) in zip(rows, panels.items(), strict=True):
        for label, look in _looks(series).items():
            positions = np.arange(len(series[label])) if x is None else x
            drawstyle = "steps-post" if label in steps else "default"
            axes.plot(positions, series[label], label=label, drawstyle=drawstyle, **look)
        axes.set(title=title, ylabel="amplitude")
        axes.legend(**BESIDE)
    rows[-1].set_xlabel(xlabel)
    return figure


def examples(batches, rows, *, steps=()):
    """Some waveforms of a batch, one panel each.

    Args:
        batches: {label: array [batch, n_samples, 1]}.
        rows: {title: index into the batch}.
        steps: as in `waveforms`.
    """
    panels = {
        title: {label: batch[row, :, 0] for label, batch in batches.items()}
        for title, row in rows.items()
    }
    return waveforms(panels, steps=steps)


def training(records, levels):
    """Validation error against seconds of training, with levels to compare as lines.

    Args:
        records: {network: what `training.fit` returned}.
        levels: {label: mean squared error}, baselines and the bound.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    for label, look in _looks(records).items():
        seconds, errors = records[label]["second"], records[label]["validation_mse"]
        axes.loglog(seconds, errors, marker=".", label=label, **look)
    for (label, level), (_, line) in zip(levels.items(), cycle(OTHERS)):
        label = label if level else f"{label}: 0"  # which has no place on a logarithm
        axes.axhline(level, color="#777777", linestyle=line, linewidth=1, label=label)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set(xlabel="training time, s", ylabel="validation error, MSE")
    axes.legend(**BESIDE)
    return figure


def curves(x, series, *, xlabel, ylabel, marks=None):
    """One curve per method over a swept quantity.

    Args:
        x: array of the swept quantity.
        series: {label: array like x}.
        xlabel, ylabel: names and units.
        marks: {label: x} for vertical lines.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    for label, look in _looks(series).items():
        axes.plot(x, series[label], marker="o", markersize=3, label=label, **look)
    for label, place in (marks or {}).items():
        axes.axvline(place, color="#777777", linestyle=":", label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(**BESIDE)
    return figure


def spectrograms(signals, sample_rate, *, figure=None):
    """Power over time and frequency, one panel per signal, all on one scale of 80 dB, 5 a shade.

    Args:
        signals: {title: array [n_samples]}.
        sample_rate: Hz.
        figure: to draw into, one panel under another; a new one if None.
    """
    shape = (1, len(signals)) if figure is None else (len(signals), 1)
    figure = figure or plt.figure(figsize=(3.2 * len(signals) + 0.8, 3.6))
    row = np.ravel(figure.subplots(*shape, sharex=True, sharey=True))
    window = 2 ** max(3, round(np.log2(sample_rate / 30)))  # samples, some 30 ms
    frames = {"NFFT": window, "noverlap": window * 3 // 4, "interpolation": "nearest"}
    top, shades = None, plt.get_cmap("magma", 16)
    for axes, (title, values) in zip(row, signals.items(), strict=True):
        values = values + 1e-9 * np.cos(np.arange(len(values)))  # silence has no logarithm
        spectrum, _, _, image = axes.specgram(values, Fs=sample_rate, cmap=shades, **frames)
        top = 10 * np.log10(spectrum.max()) if top is None else top
        image.set_clim(top - 80, top)
        axes.set(title=title, xlabel="time, s", ylabel="frequency, kHz")
        axes.yaxis.set_major_formatter(lambda hz, _: f"{hz / 1000:g}")
        axes.label_outer()
        axes.grid(False)
    figure.colorbar(image, ax=row, label="power density, dB")
    return figure


def maps(panels, x, y, *, xlabel, ylabel, label):
    """Numbers over two quantities, one panel per map, all on one scale.

    Args:
        panels: {title: array [len(y), len(x)]}.
        x, y: arrays of the two quantities.
        xlabel, ylabel, label: names and units.
    """
    figure = plt.figure(figsize=(4.2 * len(panels) + 1, 3.6))
    row = np.ravel(figure.subplots(1, len(panels), sharex=True, sharey=True))
    low, high = (f([f(values) for values in panels.values()]) for f in (np.min, np.max))
    for axes, (title, values) in zip(row, panels.items(), strict=True):
        image = axes.pcolormesh(x, y, values, cmap="magma", vmin=low, vmax=high, shading="nearest")
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axes.label_outer()
        axes.grid(False)
    figure.colorbar(image, ax=row, label=label)
    return figure


def overview(panels, sounds, sample_rate, *, steps=()):
    """Waveforms on the left, spectrograms on the right; arguments as in these two."""
    figure = plt.figure(figsize=(10, 1.1 * len(panels) + 0.6))
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    waveforms(panels, steps=steps, figure=left)
    for axes in left.axes:
        axes.get_legend().remove()  # the titles tell
        axes.sharey(left.axes[0])
    spectrograms(sounds, sample_rate, figure=right)
    return figure
