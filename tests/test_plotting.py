"""Figures are looked at by people; what a test can hold is that axes say what they show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from recon import plotting

WAVE = np.sin(np.arange(2_000) / 5)
RECORD = {"second": [1.0, 2.0], "validation_mse": [0.1, 0.01]}
FIGURES = {
    "waveforms without a label": lambda: plotting.waveforms({"one": {"": WAVE}}),
    "waveforms": lambda: plotting.waveforms({"one": {"a": WAVE, "b": -WAVE}, "two": {"a": WAVE}}),
    "examples": lambda: plotting.examples(
        {"held": np.stack([WAVE, -WAVE])[..., None]}, {"one": 1, "two": 0}, steps=["held"]
    ),
    "training": lambda: plotting.training({"net": RECORD}, {"limit": 1e-3, "baseline": 1e-2}),
    "curves": lambda: plotting.curves(
        [1, 2],
        {f"{i}": [i, 0] for i in range(10)},
        xlabel="x, Hz",
        ylabel="y, dB",
        marks={"here": 1.5},
    ),
    "a spectrogram": lambda: plotting.spectrograms({"a": WAVE}, 8_000),
    "spectrograms": lambda: plotting.spectrograms({"a": WAVE, "silence": 0 * WAVE}, 8_000),
}


@pytest.fixture
def figure(request):
    plotting.style()
    FIGURES[request.param]()
    yield plt.gcf()
    plt.close("all")


@pytest.mark.parametrize("figure", FIGURES, indirect=True)
def test_outer_axes_carry_a_name_and_a_unit(figure):
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert "," in panels[-1].get_xlabel()
    assert panels[0].get_ylabel()
    figure.canvas.draw()


@pytest.mark.parametrize("figure", ["waveforms", "training", "curves"], indirect=True)
def test_curves_differ_in_line_style_and_the_legend_lies_beside_the_data(figure):
    for axes in figure.axes:
        styles = [f"{line._unscaled_dash_pattern} {line.get_color()}" for line in axes.lines]
        assert len(set(styles)) == len(styles)
    figure.canvas.draw()
    axes = figure.axes[0]
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1 - 1


def test_examples_show_the_rows_that_were_asked_for(monkeypatch):
    seen = {}
    monkeypatch.setattr(plotting, "waveforms", lambda panels, steps: seen.update(panels))
    plotting.examples({"a": np.arange(6).reshape(3, 2, 1)}, {"first": 2, "second": 0})
    assert {title: list(series["a"]) for title, series in seen.items()} == {
        "first": [4, 5],
        "second": [0, 1],
    }
