"""Figures are looked at by people; what a test can hold is that axes say what they show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

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
        {label: [i, 0] for i, label in enumerate(["clean", "U-Net", *"abcdefgh"])},
        xlabel="x, Hz",
        ylabel="y, dB",
        marks={"here": 1.5},
    ),
    "a spectrogram": lambda: plotting.spectrograms({"a": WAVE}, 8_000),
    "maps": lambda: plotting.maps(
        {"a": np.eye(2, 3), "b": -np.eye(2, 3)},
        [1, 2, 3],
        [4, 5],
        xlabel="x, Hz",
        ylabel="y, dB",
        label="z, dB",
    ),
    "an overview": lambda: plotting.overview(
        {"one": {"clean": WAVE}, "two": {"held": WAVE}},
        {"a": WAVE, "b": WAVE},
        8_000,
        steps=["held"],
    ),
    "spectrograms": lambda: plotting.spectrograms({"a": WAVE, "silence": 0 * WAVE}, 8_000),
}


@pytest.fixture(autouse=True)
def _closed_afterwards():
    plotting.style()
    yield
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_not_shown_and_its_axes_carry_names_and_units(name, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert "," in panels[-1].get_xlabel()
    assert panels[0].get_ylabel()
    figure.canvas.draw()


@pytest.mark.parametrize("name", ["waveforms", "training", "curves"])
def test_curves_differ_in_look_and_the_legend_lies_beside_the_data(name):
    figure = FIGURES[name]()
    for axes in figure.axes:
        lines = [handle for handle in axes.get_lines() if not handle.get_label().startswith("_")]
        looks = {(line.get_color(), line.get_linestyle()) for line in lines}
        assert len(looks) == len(lines)
    figure.canvas.draw()
    axes = figure.axes[0]
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1 - 1


def test_a_name_has_one_look_wherever_it_appears_and_others_what_is_free():
    alone, among = plotting._looks(["U-Net"]), plotting._looks(["x", "clean", "U-Net", "y"])
    assert alone["U-Net"] == among["U-Net"]
    assert len({str(look) for look in among.values()}) == 4
    assert plotting._looks(["held"])["held"] == plotting._looks(["corrupted"])["corrupted"]
    figure = plotting.waveforms({"one": {"x": WAVE, "U-Net": WAVE}})
    assert figure.axes[0].lines[1].get_color() == alone["U-Net"]["color"]


INTO = {
    "waveforms": (2, lambda ax: plotting.waveforms({"a": {"x": WAVE}, "b": {"x": WAVE}}, ax=ax)),
    "examples": (1, lambda ax: plotting.examples({"x": WAVE[None, :, None]}, {"a": 0}, ax=ax)),
    "training": (1, lambda ax: plotting.training({"net": RECORD}, {"limit": 1e-3}, ax=ax)),
    "curves": (1, lambda ax: plotting.curves([1, 2], {"x": [1, 2]}, xlabel="", ylabel="", ax=ax)),
    "spectrograms": (2, lambda ax: plotting.spectrograms({"a": WAVE, "b": WAVE}, 8_000, ax=ax)),
}


@pytest.mark.parametrize("name", INTO)
def test_a_figure_is_drawn_into_axes_that_are_given(name):
    count, plot = INTO[name]
    figure, axes = plt.subplots(1, count)
    assert plot(axes) is figure
    assert all(panel.has_data() for panel in np.ravel(axes))
    assert plt.get_fignums() == [figure.number]


def test_examples_show_the_rows_that_were_asked_for():
    figure = plotting.examples({"a": np.arange(6).reshape(3, 2, 1)}, {"first": 2, "second": 0})
    shown = {axes.get_title(): list(axes.lines[0].get_ydata()) for axes in figure.axes}
    assert shown == {"first": [4, 5], "second": [0, 1]}
