"""Figures are looked at by people; what a test can hold is that axes say what they show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from recon import plotting

WAVE = np.sin(np.arange(2_000) / 5)
NAMES = {"xlabel": "x, Hz", "ylabel": "y, dB"}
RECORD = {"second": [1.0, 2.0], "validation_mse": [0.1, 0.01]}
LINES = {label: [i, 1] for i, label in enumerate(["clean", "U-Net", *"abcdefgh"])}
PANELS = {"one": {"clean": WAVE, "held": -WAVE}, "two": {"clean": WAVE}}
FIGURES = {
    "waveforms": lambda: plotting.waveforms(PANELS, steps=["held"]),
    "examples": lambda: plotting.examples({"a": WAVE.reshape(2, 1_000, 1)}, {"x": 1, "y": 0}),
    "training": lambda: plotting.training({"net": RECORD}, {"bound": 1e-3, "baseline": 0}),
    "curves": lambda: plotting.curves([1, 2], LINES, **NAMES, marks={"here": 1.5}),
    "maps": lambda: plotting.maps(
        {"a": np.eye(2), "b": -np.eye(2)}, [1, 2], [4, 5], **NAMES, label="z"
    ),
    "spectrograms": lambda: plotting.spectrograms({"a": WAVE, "silence": 0 * WAVE}, 8_000),
    "overview": lambda: plotting.overview(PANELS, {"a": WAVE, "b": WAVE}, 8_000, steps=["held"]),
}


@pytest.fixture(autouse=True)
def _closed_afterwards():
    plotting.style()
    yield
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_its_axes_carry_names_and_units(name, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == [figure.number]
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert all(axes.has_data() for axes in panels)
    images = [image for axes in panels for image in (*axes.images, *axes.collections)]
    assert len({image.get_clim() for image in images}) <= 1  # one scale for all
    assert "," in panels[-1].get_xlabel()
    assert panels[0].get_ylabel()
    figure.canvas.draw()


@pytest.mark.parametrize("name", ["waveforms", "training", "curves"])
def test_curves_differ_in_look_and_the_legend_lies_beside_them(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    for axes in figure.axes:
        looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
        assert len(looks) == len(axes.get_lines())
        assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1 - 1


def test_a_name_has_one_look_wherever_it_appears():
    lone = plotting.waveforms({"": {"U-Net": WAVE, "held": WAVE}}).axes[0].lines
    among = plotting.curves([1, 2], LINES | {"corrupted": [1, 2]}, **NAMES).axes[0].lines
    colors = {line.get_label(): line.get_color() for line in among}
    assert [line.get_color() for line in lone] == [colors["U-Net"], colors["corrupted"]]


def test_panels_show_what_was_asked_for():
    batch = np.arange(6).reshape(3, 2, 1)
    figure = plotting.examples({"a": batch, "b": -batch}, {"first": 2, "second": 0})
    shown = {axes.get_title(): [list(y.get_ydata()) for y in axes.lines] for axes in figure.axes}
    assert shown == {"first": [[4, 5], [-4, -5]], "second": [[0, 1], [0, -1]]}
