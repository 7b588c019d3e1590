import base64
import inspect
import io
import itertools
import os
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import soundfile
from test_notebooks import ROOT
from test_rerun import executed

from recon import limits, play


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    found = []
    monkeypatch.setattr(play, "display", lambda what, **_: found.append(what))
    return found


def sounds(page):
    """The samples of every player in a page."""
    return [
        soundfile.read(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r"base64,([^\"]+)", page["text/html"])
    ]


def test_players_keep_true_loudness(shown):
    play.listen({"quiet": np.full((2, 50, 1), 0.2), "loud": np.full(100, 3.0)}, 8_000)
    for (samples, rate), level in zip(sounds(shown[0]), (0.1, 1.0), strict=True):
        assert (len(samples), rate) == (100, 8_000)
        np.testing.assert_allclose(samples, level, atol=1e-4)
    assert shown[0]["text/plain"] == "players: quiet · loud"


CORNERS = {
    play.noise: {
        "cycles": (0.5, 64.0),
        "amplitude": (0.05, 2.0),
        "phase": (0.0, 6.28),
        "stddev": (0.01, 0.3),
        "impulse_rate": (0.0, 0.1),
        "impulse_amplitude": (0.0, 1.0),
    },
    play.hold: {
        "cycles": (0.5, 9.5, 5.0),
        "amplitude": (0.05, 2.0),
        "phase": (0.0, 6.28),
        "hold_length": (1, 10, 20),
    },
    play.noisy_recording: {
        "stddev": (0.0, 0.1),
        "impulse_rate": (0.0, 0.02),
        "impulse_amplitude": (0.0, 1.0),
    },
    play.held_recording: {"hold_length": (2, 4, 6)},
}


@pytest.mark.parametrize("function", CORNERS)
def test_what_a_slider_moves_draws_and_plays_in_every_corner(function, shown, monkeypatch):
    monkeypatch.setattr(play.plotting, "waveforms", lambda *_, **__: play.plt.figure())
    ranges = CORNERS[function]
    for values in itertools.product(*ranges.values()):
        shown.clear()
        scores = function(**dict(zip(ranges, values, strict=True)))
        assert not any(np.isnan(score) for score in scores.values()), values
        assert len(shown) == 2  # a figure and the players
        assert len(sounds(shown[1])) >= 3


def test_the_picture_says_what_was_measured(shown):
    scores = play.noise(stddev=0.05, impulse_rate=0.0)
    assert scores["gain_db"] == pytest.approx(10 * np.log10(0.05**2 / _error(scores)), abs=0.3)
    assert abs(scores["to_limit_db"]) < 1  # a second is not the average
    titles = [axes.get_title() for axes in shown[0].axes]
    assert f"{scores['snr_db']:.1f} dB SNR" in titles[0]
    assert f"gain {scores['gain_db']:.1f} dB" in titles[1]


def _error(scores):
    return 0.8**2 / 2 / 10 ** (scores["restored_snr_db"] / 10)


def test_a_held_sinusoid_says_whether_it_can_be_known(shown):
    for values, text in (
        ({"cycles": 6.0}, "the knots tell it all"),
        ({"cycles": 5.0}, "nobody can know the amplitude"),
        ({"cycles": 5.5}, "not trained on this"),
        ({"phase": 1.0}, "not trained on this"),
    ):
        play.hold(**values)
        assert text in shown[-2].axes[-1].get_title(), values
    assert play.hold(cycles=6.0)["restored_snr_db"] > 50 > 0 > play.hold()["spline_snr_db"]


def test_the_limit_is_the_experiments(shown):
    scores = play.noise(impulse_rate=0.0, stddev=0.1, cycles=7.0)
    bound = limits.noise_bound(**play.NOISE | {"stddev": (0.1, 0.1)})
    assert scores["to_limit_db"] == pytest.approx(10 * np.log10(_error(scores) / bound), abs=0.01)


def test_a_program_that_executes_gets_the_picture_at_the_defaults_and_no_sliders(shown):
    calls = []
    play.sliders(lambda a=1: calls.append(a), a=(0, 3, 1))
    assert calls == [1]
    assert not shown


class Someone:
    """A kernel whose front end can be asked for input."""

    kernel = type("Kernel", (), {"get_parent": lambda _: {"content": {"allow_stdin": True}}})()


def test_somebody_gets_sliders_that_call_anew(shown, monkeypatch):
    monkeypatch.setattr(play, "get_ipython", lambda: Someone)
    calls = []

    def function(a=1.0, b=None, c=4, d="stays"):
        calls.append((a, b, c, d))

    play.sliders(function, a=(0.0, 3.0, 0.125), b=["in/x", "in/y"], c=[2, 4, 6])
    (box,) = shown
    a, b, c = box.children[:-1]
    assert (a.min, a.max, a.step, a.value) == (0.0, 3.0, 0.125, 1.0)
    assert a.readout_format == ".3f"
    assert not a.continuous_update
    assert b.options == (("x", "in/x"), ("y", "in/y"))
    assert c.options == (("2", 2), ("4", 4), ("6", 6))
    assert calls == [(1.0, "in/x", 4, "stays")]
    a.value, b.value = 2.5, "in/y"
    assert calls[1:] == [(2.5, "in/x", 4, "stays"), (2.5, "in/y", 4, "stays")]


def test_what_sliders_show_has_the_notebooks_style_and_leaves_the_readers_alone(monkeypatch):
    monkeypatch.setitem(plt.rcParams, "legend.frameon", True)
    found = []
    play.sliders(lambda: found.append(plt.rcParams["legend.frameon"]))
    assert found == [False]
    assert plt.rcParams["legend.frameon"]


def test_what_tensorflow_says_as_it_starts_is_not_shown(capfd):
    play.sliders(lambda: os.write(2, b"failed call to cuInit"))
    assert capfd.readouterr().err == ""


def test_what_sliders_move_has_defaults_for_all():
    for function in CORNERS:
        assert all(
            parameter.default is not parameter.empty
            for parameter in inspect.signature(function).parameters.values()
        )


def test_the_recordings_to_play_with_are_voices_first():
    assert "voice" in play.recordings()[0]
    assert len(play.recordings()) == 7


def test_what_is_no_recording_is_not_played_with(monkeypatch, tmp_path, shown):
    """As in LibriSpeech, whose transcripts come last; and at a rate that no network here has."""
    for name in ("1.wav", "2.wav"):
        soundfile.write(tmp_path / name, np.sin(np.arange(96_000) / 50) / 2, 96_000)
    (tmp_path / "trans.txt").write_text("what was said")
    monkeypatch.setenv("RECON_RECORDINGS", str(tmp_path))
    assert play.recordings() == [str(tmp_path / name) for name in ("2.wav", "1.wav")]
    assert np.isfinite(play.noisy_recording()["restored_snr_db"])
    for name in ("1.wav", "2.wav"):
        (tmp_path / name).write_text("nothing")
    with pytest.raises(
        ValueError, match="^RECON_RECORDINGS must hold a recording, got 3 other files"
    ):
        play.recordings()


@pytest.mark.slow
def test_figures_are_shown_after_sliders_as_before(monkeypatch, tmp_path):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    plot = "import matplotlib.pyplot as plt; plt.plot([1, 2]);"
    cells = ["from recon import play\nplay.sliders(play.noise)", plot]
    cells, _ = executed([nbformat.v4.new_code_cell(cell) for cell in cells], tmp_path)
    assert all(any("image/png" in o.get("data", {}) for o in cell.outputs) for cell in cells)


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [
        (play.noise, "cycles", "a"),
        (play.noise, "amplitude", -1),
        (play.noise, "impulse_rate", 2),
        (play.hold, "hold_length", 0),
        (play.noisy_recording, "name", 5),
        (play.sliders, "function", 5),
        (play.listen, "sounds", None),
    ],
)
def test_what_no_slider_gives_is_refused_by_name(function, name, value):
    others = {"sounds": {"a": [1.0]}, "sample_rate": 8_000} if function is play.listen else {}
    with pytest.raises(ValueError, match=f"^{name} must be (?!a pair)"):
        function(**others | {name: value})
