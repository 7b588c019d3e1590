"""The figures: axes labelled with units, curves told apart by line style as well as by colour."""

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.ticker import LogLocator

COLOURS = ["#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#777777"]
COLOURS += COLOURS[1:3]  # ten curves at most: the last two differ by their dashes
STYLES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3))]
STYLES += [(0, (8, 2, 1, 2)), (0, (2, 4))]


def style():
    """Set how all figures look; called once, in the setup cell of a notebook."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS, linestyle=STYLES),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "grid.alpha": 0.3,
            "legend.frameon": False,
            "lines.linewidth": 1.5,
        }
    )


def _legend(axes):
    """The legend to the right of the axes, where it hides nothing; none if nothing is labelled."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def waveforms(panels, *, x=None, xlabel="time, samples", steps=()):
    """Waveforms over time, one panel under another.

    Args:
        panels: {title: {label: array [n_samples]}}.
        x: array [n_samples] for the horizontal axis; the sample numbers if None.
        xlabel: its name and unit.
        steps: labels to draw as steps, as a converter would hold them.
    """
    size = (8.5, 0.5 + 1.7 * len(panels))
    _, rows = plt.subplots(len(panels), sharex=True, figsize=size, squeeze=False)
    for axes, (title, series) in zip(rows[:, 0], panels.items(), strict=True):
        for label, values in series.items():
            positions = np.arange(len(values)) if x is None else x
            how = {"drawstyle": "steps-post"} if label in steps else {}
            axes.plot(positions, values, label=label, **how)
        axes.set(title=title, ylabel="amplitude")
        _legend(axes)
    axes.set_xlabel(xlabel)
    plt.show()


def examples(batches, rows, *, steps=()):
    """Some waveforms of a batch, one panel each.

    Args:
        batches: {label: array [batch, n_samples, 1]}.
        rows: {title: index into the batch}.
        steps: labels to draw as steps.
    """
    panels = {
        title: {label: batch[row, :, 0] for label, batch in batches.items()}
        for title, row in rows.items()
    }
    waveforms(panels, steps=steps)


def training(records, levels):
    """Validation error against seconds of training, with levels to compare as lines.

    Args:
        records: {network: what `training.fit` returned}.
        levels: {label: mean squared error}, baselines and the limit.
    """
    _, axes = plt.subplots(figsize=(8.5, 3.6))
    for label, record in records.items():
        axes.loglog(record["second"], record["validation_mse"], marker=".", label=label)
    for (label, level), line in zip(levels.items(), STYLES[1:] * 2, strict=False):
        axes.axhline(level, color="#777777", linestyle=line, linewidth=1, label=label)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set(xlabel="training time, s", ylabel="validation error, MSE")
    _legend(axes)
    plt.show()


def curves(x, series, *, xlabel, ylabel, marks=None):
    """One curve per method over a swept quantity.

    Args:
        x: array of the swept quantity.
        series: {label: array like x}.
        xlabel, ylabel: names and units.
        marks: {label: x} for vertical lines.
    """
    _, axes = plt.subplots(figsize=(8.5, 3.6))
    for label, values in series.items():
        axes.plot(x, values, marker="o", markersize=3, label=label)
    for label, place in (marks or {}).items():
        axes.axvline(place, color="#777777", linestyle=":", label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    _legend(axes)
    plt.show()


def spectrograms(signals, sample_rate):
    """Power over time and frequency, one panel per signal, all on one scale of 80 dB.

    Args:
        signals: {title: array [n_samples]}.
        sample_rate: Hz.
    """
    size = (2.9 * len(signals), 3)
    _, rows = plt.subplots(1, len(signals), sharex=True, sharey=True, figsize=size, squeeze=False)
    row, top = rows[0], None
    for axes, (title, values) in zip(row, signals.items(), strict=True):
        spectrum, _, _, image = axes.specgram(
            values + 1e-9 * np.cos(np.arange(len(values))),  # digital silence has no logarithm
            NFFT=256, noverlap=192, Fs=sample_rate / 1000, cmap="gray_r", scale="dB",
        )  # fmt: skip
        top = 10 * np.log10(spectrum.max()) if top is None else top
        image.set_clim(top - 80, top)
        axes.set(title=title, xlabel="time, ms")
        axes.grid(False)
    row[0].set_ylabel("frequency, kHz")
    plt.colorbar(image, ax=row, label="power density, dB")
    plt.show()
