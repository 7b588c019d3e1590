"""One contract for all damage, then for each that it changes the signal by the right amount."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from recon import corruptors

IMPULSES = {"impulse_rate": (0.0, 0.2), "impulse_amplitude": 5.0}
DAMAGE = {
    "Gaussian noise": lambda x, seed: corruptors.add_gaussian_noise(x, 0.1, seed=seed),
    "impulse noise": lambda x, seed: corruptors.add_impulse_noise(x, 0.5, 0.1, seed=seed),
    "sample and hold": lambda x, seed: corruptors.sample_and_hold(x, 3),
    "drawn noise": corruptors.noise(stddev=(0.01, 0.1), **IMPULSES),
    "drawn hold": corruptors.hold((2, 5)),
}
CERTAIN = {"sample and hold"}  # damage without chance
NEUTRAL = {
    "gaussian": lambda x: corruptors.add_gaussian_noise(x, 0.0, seed=(1, 2)),
    "rate": lambda x: corruptors.add_impulse_noise(x, 0.0, 0.5, seed=(1, 2)),
    "amplitude": lambda x: corruptors.add_impulse_noise(x, 1.0, 0.0, seed=(1, 2)),
    "hold": lambda x: corruptors.sample_and_hold(x, 1),
}
WAVES = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
COUNT = 40_000
SILENCE = tf.zeros([4, COUNT])


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("shape", [(5, 64), (5, 32, 2)])
def test_damage_keeps_its_contract(name, shape):
    """Shape and type stay, the input too; the seed decides; `tf.data` makes no difference."""
    damage, clean = DAMAGE[name], WAVES.reshape(shape)
    signal = tf.constant(clean)
    corrupted = damage(signal, (1, 2)).numpy()
    assert (corrupted.shape, corrupted.dtype) == (shape, np.float32)
    np.testing.assert_array_equal(signal, clean)
    assert not np.array_equal(corrupted, clean)
    np.testing.assert_array_equal(corrupted, damage(signal, (1, 2)))
    assert np.array_equal(corrupted, damage(signal, (3, 2))) == (name in CERTAIN)
    inside = tf.data.Dataset.from_tensors(clean).map(lambda x: damage(x, (1, 2)))
    np.testing.assert_allclose(next(iter(inside)), corrupted, atol=1e-6)


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_neutral_argument_is_the_identity(name):
    np.testing.assert_array_equal(NEUTRAL[name](tf.constant(WAVES)), WAVES)


def test_gaussian_noise_is_white_at_each_waveforms_level():
    stddev = np.array([0.01, 0.1, 0.5, 1.0])
    noise = corruptors.add_gaussian_noise(SILENCE + 1, stddev, seed=(1, 2)).numpy() - 1
    for row, level in zip(noise.astype(float), stddev, strict=True):
        assert stats.kstest(row / level, "norm").pvalue > 1e-3
        assert abs(np.corrcoef(row[1:], row[:-1])[0, 1]) < 5 / np.sqrt(COUNT)
    assert np.abs(np.corrcoef(noise) - np.eye(4)).max() < 5 / np.sqrt(COUNT)


def test_impulses_hit_at_each_waveforms_rate_with_even_signs():
    rate = np.array([0.0, 0.01, 0.2, 1.0])
    hits = corruptors.add_impulse_noise(SILENCE, rate, 0.5, seed=(1, 2)).numpy()
    assert set(np.unique(hits)) == {-0.5, 0.0, 0.5}
    for row, chance in zip(hits, rate, strict=True):
        count = np.count_nonzero(row)
        assert stats.binomtest(count, COUNT, chance).pvalue > 1e-3
        assert count == 0 or stats.binomtest(np.sum(row > 0), count).pvalue > 1e-3


def test_gaps_between_impulses_are_geometric():
    """Hits are a Poisson process in discrete time."""
    hits = corruptors.add_impulse_noise(SILENCE, 0.1, 1.0, seed=(1, 2)).numpy().ravel()
    gaps = np.bincount(np.diff(np.flatnonzero(hits)).clip(max=30), minlength=31)[1:]
    lengths = np.arange(1, 31)
    expected = np.where(lengths < 30, 0.1 * 0.9 ** (lengths - 1), 0.9**29)
    assert stats.chisquare(gaps, expected * gaps.sum()).pvalue > 1e-3


@pytest.mark.parametrize("lengths", [1, 2, 3, 7, 64, 100, [1, 2, 3, 7, 100]])
def test_a_hold_repeats_the_last_knot(lengths):
    held = corruptors.sample_and_hold(WAVES, lengths).numpy()
    for row, wave, length in zip(held, WAVES, np.broadcast_to(lengths, 5), strict=True):
        np.testing.assert_array_equal(row, [wave[n - n % length] for n in range(64)])


@pytest.mark.parametrize("logarithmic", [False, True])
def test_drawn_noise_has_a_level_and_a_rate_per_waveform(logarithmic):
    damage = corruptors.noise(stddev=(0.01, 0.1), **IMPULSES, logarithmic=logarithmic)
    noise = damage(tf.zeros([2_000, 1_024]), (1, 2)).numpy()
    hits = np.abs(noise) > 2.5
    levels, rates = np.std(noise, axis=1, where=~hits), hits.mean(axis=1)
    places = np.log10(levels) + 2 if logarithmic else (levels - 0.01) / 0.09
    assert stats.kstest(places, "uniform").pvalue > 1e-3
    assert stats.kstest(rates / 0.2, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(levels, rates)[0, 1]) < 5 / np.sqrt(2_000)


def test_drawn_holds_are_even_one_per_waveform():
    waves = np.random.default_rng(1).normal(size=(4_000, 16)).astype(np.float32)
    held, n = DAMAGE["drawn hold"](waves, (1, 2)).numpy(), np.arange(16)
    counts = [np.all(held == waves[:, n // k * k], axis=1).sum() for k in (2, 3, 4, 5)]
    assert sum(counts) == 4_000
    assert stats.chisquare(counts).pvalue > 1e-3
