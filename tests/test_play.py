"""Sliders and players: what the first cells of the notebooks are made of."""

import base64
import io
import itertools
import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile

from recon import limits, play


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    objects = []
    monkeypatch.setattr(play, "display", lambda shown, **_: objects.append(shown))
    return objects


def sounds(page):
    """[(samples, rate)] of the players in a page."""
    data = re.findall(r"base64,([^\"]+)", page["text/html"])
    return [soundfile.read(io.BytesIO(base64.b64decode(sound))) for sound in data]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_players_keep_true_loudness(shown):
    play.listen({"quiet": np.full((2, 50, 1), 0.2), "loud": np.full(100, 3.0)}, 8_000)
    for (samples, rate), level in zip(sounds(shown[0]), (0.1, 1.0), strict=True):
        assert (len(samples), rate) == (100, 8_000)
        np.testing.assert_allclose(samples, level, atol=1e-4)


CORNERS = {
    play.noise: {"cycles": (0.5, 64.0), "stddev": (0.0, 0.3), "impulse_rate": (0.0, 0.1)},
    play.hold: {"cycles": (0.5, 9.5), "phase": (0.0, 6.28), "hold_length": (1, 20)},
    play.noisy_recording: {"stddev": (0.0, 0.1), "impulse_rate": (0.0, 0.02)},
    play.held_recording: {"hold_length": (2, 6)},
}


@pytest.mark.parametrize("function", CORNERS, ids=lambda function: function.__name__)
def test_every_corner_of_the_sliders_draws_and_plays(function, shown):
    for values in itertools.product(*CORNERS[function].values()):
        shown.clear()
        scores = function(**dict(zip(CORNERS[function], values, strict=True)))
        assert not np.isnan(list(scores.values())).any()
        _, page = shown  # a figure and the players
        assert len(sounds(page)) >= 3


def test_the_picture_says_what_was_measured(shown):
    scores = play.noise(impulse_rate=0.0, stddev=0.1, cycles=7.0)
    error = 0.8**2 / 2 / 10 ** (scores["network"] / 10)
    assert scores["gain"] == pytest.approx(10 * np.log10(0.1**2 / error), abs=0.3)
    bound = limits.noise_bound(**play.NOISE | {"stddev": (0.1, 0.1)})
    assert scores["to_limit"] == pytest.approx(10 * np.log10(error / bound), abs=0.01)
    assert f"{scores['corrupted']:.1f} dB SNR" in titles(shown[0])[0]
    assert f"gain {scores['gain']:.1f} dB" in titles(shown[0])[1]


def test_a_held_sinusoid_says_what_can_be_known(shown):
    for values, note in (
        ({"cycles": 5.0}, "nobody can know the amplitude"),
        ({"cycles": 5.5}, "it was not trained on this"),
        ({"phase": 1.0}, "it was not trained on this"),
        ({"cycles": 6.0}, "the knots tell it all"),
    ):
        scores = play.hold(**values)
        assert titles(shown[-2])[-1].endswith(note)
    assert scores["network"] > 50 > 0 > scores["cubic spline"]


def test_a_program_gets_the_picture_at_the_defaults(shown, monkeypatch):
    """In the notebook's style, which the reader's own survives."""
    monkeypatch.setitem(plt.rcParams, "legend.frameon", True)
    calls = []
    play.sliders(lambda a=1: calls.append((a, plt.rcParams["legend.frameon"])), a=(0, 3, 1))
    assert calls == [(1, False)]
    assert plt.rcParams["legend.frameon"]
    assert not shown


def test_somebody_gets_sliders_that_call_anew(shown, monkeypatch):
    request = {"content": {"allow_stdin": True}}
    kernel = SimpleNamespace(get_parent=lambda: request)
    monkeypatch.setattr(play, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    calls = []

    def function(a=1.0, b=4, c=""):
        calls.append((a, b, c))

    play.sliders(function, a=(0.0, 3.0, 0.125), b=[2, 4, 6], c=[("x", "in/x"), ("y", "in/y")])
    a, b, c = shown[0].children[:3]
    assert (a.min, a.max, a.step, a.value, a.continuous_update) == (0.0, 3.0, 0.125, 1.0, False)
    assert calls == [(1.0, 4, "in/x")]
    a.value, b.value, c.value = 2.5, 6, "in/y"
    assert calls[1:] == [(2.5, 4, "in/x"), (2.5, 6, "in/x"), (2.5, 6, "in/y")]


def test_the_recordings_to_play_with_are_voices_first(monkeypatch, tmp_path, shown):
    assert "voice" in play.recordings()[0][0]
    assert len(play.recordings()) == 7
    soundfile.write(tmp_path / "1.wav", np.sin(np.arange(96_000) / 50) / 2, 96_000)
    (tmp_path / "1.trans.txt").write_text("what was said, as in LibriSpeech")
    monkeypatch.setenv("RECON_RECORDINGS", str(tmp_path))
    assert play.recordings() == [("1.wav", str(tmp_path / "1.wav"))]
    assert play.noisy_recording()["network"] > play.noisy_recording()["corrupted"]
