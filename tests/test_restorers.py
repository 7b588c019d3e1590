"""What the restorers' layers compute, against closed forms."""

import numpy as np
import pytest
from test_models import SHARES, built, waves, whole

from recon import baselines, metrics, models, restorers

HITS, SIZES = [1_000, 3_000], [0.5, -0.5]


def surprise(signal):
    return whole(restorers.Surprise(512), np.float32(signal))


def test_surprise_is_the_error_of_the_best_prediction():
    """An autoregressive process, predicted from all other samples (Kolmogorov, 1941)."""
    random, poles = np.random.default_rng(0), (1.6, -0.8)
    noise, signal = random.normal(size=20_480), np.zeros(20_480)
    for n in range(2, len(signal)):
        signal[n] = poles[0] * signal[n - 1] + poles[1] * signal[n - 2] + noise[n]
    least, inner = 1 / (1 + poles[0] ** 2 + poles[1] ** 2), slice(512, -512)  # variance
    # Less than the least: the spectrum, of a frame alone, follows each sample a little.
    assert 0.6 * least < surprise(signal)[inner].var() < 1.1 * least
    assert signal[inner].var() > 30 * least


@pytest.mark.parametrize("loudness", [0.0, 1.0])
def test_surprise_hears_an_impulse_whole_and_nothing_beside_it(loudness):
    n = np.arange(4_096)
    signal = loudness * (np.sin(0.1 * n) + 0.5 * np.sin(0.43 * n))
    signal[HITS] += SIZES
    heard = surprise(signal)
    np.testing.assert_allclose(heard[HITS], SIZES, atol=0.05)
    assert np.abs(np.delete(heard, HITS)[512:-512]).max() < 0.25


@pytest.mark.parametrize("each", [1, 4])  # roots per position or per sample
def test_a_choice_is_the_answer_of_the_largest_root(each):
    signals = np.random.default_rng(0).normal(size=(3, 2, 5, 4)).astype(np.float32)
    answers = np.concatenate(list(signals), axis=-1)
    for chosen, loudness in ((0, 1.0), (1, 1e-9), (2, 1e9)):
        roots = np.full((2, 5, 3 * each), 0.01 * loudness, np.float32)
        roots[..., each * chosen : each * (chosen + 1)] = -loudness
        np.testing.assert_allclose(restorers.Choice(3)(answers, roots), signals[chosen], atol=1e-6)
    undecided = restorers.Choice(3)(answers, 0 * roots)
    np.testing.assert_allclose(undecided, signals.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("hold_length", [2, 3, 6])
def test_an_interpolator_keeps_the_knots(hold_length):
    model = restorers.interpolator(hold_length=hold_length, **SHARES)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weights.shape) for weights in model.get_weights()])
    signal = waves(1, 101)
    answer = np.asarray(model(signal))
    np.testing.assert_array_equal(answer[:, ::hold_length], signal[:, ::hold_length])
    assert np.abs(answer - signal).max() > 0.1  # between them it has a say


@pytest.mark.parametrize("hold_length", [2, 3, 6])
def test_an_interpolator_begins_as_the_cubic_spline(hold_length):
    """Its shares are those of a power that falls with the fourth power of frequency."""
    model = restorers.interpolator(hold_length=hold_length, channels=4, dilations=(1,))
    places = np.arange(6_000) // hold_length * hold_length
    held = np.sin(0.3 * np.pi / hold_length * places, dtype=np.float32)[None, :, None]
    spline, inner = baselines.spline(held, hold_length=hold_length), slice(1_000, -1_000)
    assert metrics.snr_db(spline[:, inner], np.asarray(model(held))[:, inner]) > 60


@pytest.mark.parametrize("name", ["denoiser", "interpolator"])
def test_twice_as_loud_is_answered_twice_as_loud(name):
    model, signal = models.copy(built(name)), waves(2, 300)
    model.set_weights([weights + 0.1 for weights in model.get_weights()])  # a bias starts at 0
    for factor in (1e-2, 2.0, 100.0):
        answer = np.asarray(model(factor * signal)) / factor
        np.testing.assert_allclose(answer, model(signal), rtol=1e-2, atol=1e-3)
