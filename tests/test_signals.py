"""Sinusoids against their formula, draws against their distributions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recon import signals

RANGES = {"cycles": (2, 5), "amplitude": (0.1, 0.9), "phase": (0.0, 3.0)}


@given(st.integers(1, 70_000), st.floats(0, 0.5), st.floats(-10, 10), st.floats(0, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_sinusoid_is_its_formula(n_samples, frequency, phase, amplitude):
    """At any frequency up to Nyquist's, whole cycles or not; one number stands for all."""
    cycles = np.float32([frequency * n_samples, round(frequency * n_samples)])
    waves = signals.sinusoid(cycles, amplitude, [phase, phase], n_samples)
    angle = 2 * np.pi * np.outer(cycles.astype(float), np.arange(n_samples)) / n_samples
    np.testing.assert_allclose(waves, amplitude * np.sin(angle + phase), atol=5e-6)


def test_samples_zero_on_paper_are_zero():
    wave = signals.sinusoid([5.0], [0.7], [0.0], 100).numpy()[0]
    assert not np.any(wave[::10])


def test_draws_are_uniform_between_both_ends():
    count, seed = 90_000, (1, 2)
    draws = signals.uniform((1, 9), count, seed, whole=True).numpy()
    assert set(draws) == set(range(1, 10))
    assert stats.chisquare(np.bincount(draws.astype(int))[1:]).pvalue > 1e-3
    draws = signals.uniform((0.2, 0.6), count, seed).numpy()
    assert stats.kstest(draws, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3
    draws = signals.uniform((0.01, 1.0), count, seed, logarithmic=True).numpy()
    assert stats.kstest(np.log10(draws), stats.uniform(-2, 2).cdf).pvalue > 1e-3
    assert np.all(signals.uniform((0.5, 0.5), count, seed).numpy() == 0.5)


def test_normal_draws_are_normal_and_independent():
    draws = signals.normal([101, 5_001], (1, 2)).numpy().astype(float).ravel()
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    half = len(draws) // 2
    pairs = draws[:half], draws[-half:]  # both coordinates of a point of the plane
    for first, second in ((draws[:-1], draws[1:]), pairs, np.square(pairs)):
        assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(len(first))


def test_sinusoids_are_drawn_from_their_ranges_independently():
    waves = signals.draw_sinusoids(20_000, 64, (3, 4), **RANGES).numpy()
    spectrum = np.fft.rfft(waves)
    sizes, cycles = np.abs(spectrum).max(axis=1) / 32, np.abs(spectrum).argmax(axis=1)
    phases = np.angle(1j * spectrum[np.arange(20_000), cycles])
    assert stats.chisquare(np.bincount(cycles)[2:]).pvalue > 1e-3
    assert stats.kstest(sizes, stats.uniform(0.1, 0.8).cdf).pvalue > 1e-3
    assert stats.kstest(phases, stats.uniform(0, 3).cdf).pvalue > 1e-3
    correlation = np.corrcoef([cycles, sizes, phases])
    assert np.abs(correlation - np.eye(3)).max() < 5 / np.sqrt(20_000)


def test_the_seed_decides_the_draw():
    first, again, other = (
        signals.draw_sinusoids(8, 64, seed, **RANGES).numpy() for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.any(np.all(first == other, axis=1))
