import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from recon import signals


def test_a_sinusoid_is_the_formula():
    cycles, amplitude, phase = [1.0, 7.0, 31.5], [1.0, 0.3, 2.0], [0.0, 1.0, -4.0]
    measured = signals.sinusoid(cycles, amplitude, phase, 256).numpy()
    for row, c, a, p in zip(measured, cycles, amplitude, phase, strict=True):
        expected = [a * np.sin(2 * np.pi * c * n / 256 + p) for n in range(256)]
        np.testing.assert_allclose(row, expected, atol=3e-6)


def test_whole_cycles_fill_the_frame_without_a_repeated_endpoint():
    frame = signals.sinusoid([3.0], [1.0], [0.4], 100).numpy()[0]
    two_frames = signals.sinusoid([6.0], [1.0], [0.4], 200).numpy()[0]
    np.testing.assert_allclose(np.tile(frame, 2), two_frames, atol=1e-6)


def test_samples_that_are_zero_on_paper_are_zero_in_float32():
    wave = signals.sinusoid([5.0], [0.7], [0.0], 100).numpy()[0]
    assert np.all(wave[::10] == 0)


def test_draws_are_uniform_and_reach_both_ends():
    draws = signals.uniform((1, 9), 90_000, (1, 2), whole=True).numpy()
    counts = np.bincount(draws.astype(int), minlength=10)
    assert counts[0] == 0
    assert len(counts) == 10
    assert np.all(np.abs(counts[1:] - 10_000) < 5 * np.sqrt(10_000))
    levels = signals.uniform((0.2, 0.6), 90_000, (1, 2)).numpy()
    assert abs(levels.mean() - 0.4) < 5 * 0.4 / np.sqrt(12 * 90_000)
    assert levels.min() >= np.float32(0.2)
    assert levels.max() <= np.float32(0.6)
    assert abs(levels.std() - 0.4 / np.sqrt(12)) < 1e-3


def test_logarithmic_draws_have_the_geometric_mean_as_median():
    draws = signals.uniform((0.01, 1.0), 90_000, (1, 2), logarithmic=True).numpy()
    assert abs(np.mean(draws < 0.1) - 0.5) < 5 * 0.5 / np.sqrt(90_000)


def test_normal_draws_are_normal_and_independent():
    draws = signals.normal([101, 5_001], (1, 2)).numpy().astype(float).ravel()
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    pairs = draws[:-1].reshape(2, -1)  # what one point of the plane gives is this far apart
    for first, second in ((draws[:-1], draws[1:]), pairs, pairs**2):
        assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(len(first))


@pytest.mark.parametrize("shape", [[1], [3, 5], [4, 6, 2]])
def test_normal_draws_have_any_shape_and_float_type(shape):
    draws = signals.normal(tf.constant(shape), (1, 2), tf.float64)
    assert draws.shape == shape
    assert draws.dtype == tf.float64
    assert np.all(np.isfinite(draws))


def test_equal_numbers_make_a_constant():
    assert np.all(signals.uniform((0.5, 0.5), 100, (1, 2)).numpy() == 0.5)


def test_sinusoids_are_drawn_with_their_ranges():
    ranges = {"cycles": (2, 5), "amplitude": (0.1, 0.9), "phase": (0.0, 0.0)}
    waves = signals.draw_sinusoids(2_000, 64, (3, 4), **ranges).numpy()
    spectrum = np.abs(np.fft.rfft(waves)) / 32
    bins = spectrum.argmax(axis=1)
    assert set(bins) == {2, 3, 4, 5}
    amplitudes = spectrum.max(axis=1)
    assert amplitudes.min() >= 0.1 - 1e-6
    assert amplitudes.max() <= 0.9 + 1e-6
    assert np.all(waves[:, 0] == 0)  # phase 0


def test_equal_seeds_draw_equal_waves_and_other_seeds_others():
    ranges = {"cycles": (1, 9), "amplitude": (0.1, 0.9), "phase": (0.0, 6.0)}
    first, again, other = (
        signals.draw_sinusoids(8, 64, seed, **ranges).numpy() for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.any(np.all(first == other, axis=1))


def test_parameters_are_drawn_independently_of_each_other():
    ranges = {"cycles": (1, 9), "amplitude": (0.1, 1.0), "phase": (0.0, 3.0)}
    waves = signals.draw_sinusoids(20_000, 64, (3, 4), **ranges).numpy()
    spectrum = np.fft.rfft(waves)
    size, peak = np.abs(spectrum).max(axis=1), np.abs(spectrum).argmax(axis=1)
    phase = np.angle(1j * spectrum[np.arange(20_000), peak])
    correlation = np.corrcoef([peak, size, phase])
    assert np.abs(correlation - np.eye(3)).max() < 5 / np.sqrt(20_000)


@pytest.mark.parametrize(
    ("bounds", "how"),
    [
        ((2, 1), {}),
        ((0, float("nan")), {}),
        ((0, float("inf")), {}),
        ((0.5, 2), {"whole": True}),
        ((0, 1), {"logarithmic": True}),
    ],
)
def test_an_unusable_range_is_refused(bounds, how):
    with pytest.raises(ValueError, match="^bounds must be a pair"):
        signals.uniform(bounds, 4, (1, 2), **how)


def test_one_number_stands_for_all_waveforms():
    one = signals.sinusoid(5, 0.5, [0.1, 0.1], 64).numpy()
    each = signals.sinusoid([5.0, 5.0], [0.5, 0.5], [0.1, 0.1], 64).numpy()
    np.testing.assert_array_equal(one, each)
    assert signals.sinusoid(5, 0.5, 0.1, 64).shape == (1, 64)


def test_cycles_above_the_nyquist_limit_are_refused():
    with pytest.raises(ValueError, match=r"^cycles .*32"):
        signals.draw_sinusoids(4, 64, (1, 2), cycles=(1, 33), amplitude=(1, 1), phase=(0, 0))


def test_everything_runs_inside_a_graph():
    graph = tf.function(
        lambda seed: signals.draw_sinusoids(
            4, 64, seed, cycles=(1, 9), amplitude=(0.1, 1.0), phase=(0.0, 1.0)
        )
    )
    eager = signals.draw_sinusoids(
        4, 64, (1, 2), cycles=(1, 9), amplitude=(0.1, 1.0), phase=(0.0, 1.0)
    )
    np.testing.assert_allclose(graph(tf.constant([1, 2])), eager, atol=1e-6)


@pytest.mark.parametrize("n_samples", [4_096, 8_192, 65_536])
def test_long_frames_hold_the_fastest_sinusoids(n_samples):
    cycles = np.float32([n_samples // 2 - 1, n_samples // 3])
    found = signals.sinusoid(cycles, [1.0, 1.0], [0.3, 0.3], n_samples).numpy()
    turns = cycles.astype(int)[:, None] * np.arange(n_samples) % n_samples / n_samples
    np.testing.assert_allclose(found, np.sin(2 * np.pi * turns + 0.3), atol=1e-5)


@pytest.mark.parametrize(("cycles", "n_samples"), [(5.5, 256), (1000.3, 2048), (2000.3, 4096)])
def test_cycles_that_are_not_whole_are_as_exact_as_whole_ones(cycles, n_samples):
    turns = float(np.float32(cycles)) * np.arange(n_samples) / n_samples
    wave = signals.sinusoid(cycles, 1.0, 0.0, n_samples)[0]
    np.testing.assert_allclose(wave, np.sin(2 * np.pi * turns), atol=1e-6)
    aliases = signals.sinusoid([1.0, 1.0 + 2**20, 1.0 - 2**20], 1.0, 0.0, 2**10)
    np.testing.assert_array_equal(aliases, np.tile(aliases[:1], (3, 1)))
