"""What can be done without learning, against SciPy, NumPy, naive loops and closed forms."""

from functools import partial

import numpy as np
import pytest
from scipy import interpolate, signal

from recon import baselines

RANDOM = np.random.default_rng(0)
NOISY = RANDOM.normal(size=(3, 101, 1)).astype(np.float32)
WAVES = {"n_samples": 101, "cycles": (1, 9), "amplitude": (0.1, 1.0), "phase": (0.0, 2 * np.pi)}
NOISE = {"stddev": (0.01, 0.1), "impulse_rate": (0.0, 0.02), "impulse_amplitude": 0.5}
LINEAR = baselines.denoisers(NOISY, 0.5 * NOISY) | baselines.interpolators(7)
LINEAR["periodic FFT"] = partial(baselines.fft, hold_length=7, periodic=True)
METHODS = LINEAR | {
    "expectation-maximisation": partial(baselines.expectation_maximisation, **WAVES, **NOISE),
    "posterior mean": partial(baselines.posterior_mean, **WAVES, hold_length=5),
}


def held(wave, hold_length):
    """What a hold makes of waves [batch, n_samples], as a model would get it."""
    n = np.arange(wave.shape[1])
    return wave[:, n - n % hold_length, None].astype(np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_a_baseline_has_a_models_call_shape(name):
    """It leaves its input alone, mixes no waveforms, and treats loud and quiet alike."""
    method, before = METHODS[name], NOISY.copy()
    estimate = method(NOISY)
    assert (estimate.shape, estimate.dtype) == (NOISY.shape, np.float32)
    np.testing.assert_array_equal(NOISY, before)
    np.testing.assert_allclose(method(NOISY[1:2]), estimate[1:2], atol=1e-6)
    if name in LINEAR:
        np.testing.assert_allclose(method(1e-3 * NOISY), 1e-3 * estimate, rtol=1e-3, atol=1e-7)
        assert not np.any(method(0 * NOISY))


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_median_and_average_are_the_naive_loops(kernel_size):
    mirrored = np.pad(NOISY[0, :, 0], kernel_size // 2, mode="symmetric")
    windows = [mirrored[i : i + kernel_size] for i in range(101)]
    for method, naive in ((baselines.median, np.median), (baselines.moving_average, np.mean)):
        estimate = method(NOISY, kernel_size=kernel_size)[0, :, 0]
        np.testing.assert_allclose(estimate, [naive(window) for window in windows], atol=1e-6)


def test_savitzky_golay_keeps_a_cubic():
    cubic = (np.linspace(-1, 1, 50) ** 3)[None, :, None]
    np.testing.assert_allclose(baselines.savitzky_golay(cubic), cubic, atol=1e-9)


def test_wiener_is_scipys_per_waveform():
    expected = signal.wiener(NOISY[1, :, 0].astype(float), 5)
    np.testing.assert_allclose(baselines.wiener(NOISY)[1, :, 0], expected, atol=1e-6)


def test_the_largest_bin_of_a_sinusoid_is_the_sinusoid():
    wave = 0.7 * np.sin(2 * np.pi * 9 * np.arange(256) / 256 + 1)[None, :, None]
    np.testing.assert_allclose(baselines.largest_bin(wave + 2), wave, atol=1e-9)  # never the mean
    noise = np.random.default_rng(1).normal(size=(2_000, 256, 1))
    error = np.var(baselines.largest_bin(wave + 0.1 * noise) - wave)
    assert error == pytest.approx(2 * 0.1**2 / 256, rel=0.1)  # two amplitudes of 256 samples


def test_given_bins_is_least_squares_in_the_bins_of_the_clean_signal():
    n, noise = np.arange(100), np.random.default_rng(3).normal(size=100)
    clean = 0.3 * np.sin(2 * np.pi * 7 * n / 100 + 1) + np.cos(2 * np.pi * 12 * n / 100)
    estimate = baselines.given_bins((clean + noise)[None, :, None], clean[None, :, None])
    angles = 2 * np.pi * np.outer(n, [7, 12]) / 100
    basis = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    expected = basis @ np.linalg.lstsq(basis, clean + noise, rcond=None)[0]
    np.testing.assert_allclose(estimate[0, :, 0], expected, atol=1e-9)


def test_each_denoisers_window_is_the_best_on_the_validation_data():
    noise = np.random.default_rng(2).normal(size=(4, 256, 1))
    for cycles, expected in ((1, 17), (60, 3)):  # a slow wave bears a long window, a fast one not
        clean = np.tile(np.sin(2 * np.pi * cycles * np.arange(256) / 256)[:, None], (4, 1, 1))
        assert f"moving average of {expected}" in baselines.denoisers(clean + 0.3 * noise, clean)


@pytest.mark.parametrize("name", list(baselines.interpolators(1))[1:])
@pytest.mark.parametrize("hold_length", [1, 2, 5, 10])
def test_every_interpolator_passes_through_the_knots(name, hold_length):
    wave = RANDOM.normal(size=(2, 60))
    estimate = baselines.interpolators(hold_length)[name](held(wave, hold_length))[..., 0]
    np.testing.assert_allclose(estimate[:, ::hold_length], wave[:, ::hold_length], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "degree"), [("linear", 1), ("cubic spline", 3), ("quintic spline", 5)]
)
def test_splines_are_scipys_far_from_the_ends(name, degree):
    wave = RANDOM.normal(size=400)
    curve = interpolate.make_interp_spline(np.arange(0, 400, 4), wave[::4], degree)
    estimate = baselines.interpolators(4)[name](held(wave[None], 4))[0, :, 0]
    np.testing.assert_allclose(estimate[150:250], curve(np.arange(150, 250)), atol=1e-5)


def test_the_lagrange_curve_is_scipys_through_the_thirteen_nearest_knots():
    knots = RANDOM.normal(size=60)
    estimate = baselines.lagrange(held(np.repeat(knots, 3)[None], 3), hold_length=3)[0, :, 0]
    for sample in (91, 92):  # a third of a knot after knot 30, and a third before knot 31
        nearest = np.arange(13) + round(sample / 3) - 6
        expected = interpolate.BarycentricInterpolator(nearest, knots[nearest])(sample / 3)
        np.testing.assert_allclose(estimate[sample], expected, rtol=1e-5)


def test_the_windowed_sinc_is_its_formula():
    knots = RANDOM.normal(size=60)
    estimate = baselines.windowed_sinc(held(np.repeat(knots, 3)[None], 3), hold_length=3)
    for sample in (91, 92):
        distance = sample / 3 - np.arange(15, 47)  # of 32 knots around
        weights = np.sinc(distance) * np.i0(8 * np.sqrt(1 - (distance / 16) ** 2))
        expected = weights @ knots[15:47] / weights.sum()
        assert estimate[0, sample, 0] == pytest.approx(expected, rel=1e-5)


def test_fft_is_exact_below_the_knots_nyquist_frequency_and_not_above():
    method = partial(baselines.fft, hold_length=10, periodic=True)
    below, above = (np.sin(2 * np.pi * c * np.arange(100) / 100 + 0.3)[None] for c in (4, 6))
    np.testing.assert_allclose(method(held(below, 10))[..., 0], below, atol=1e-6)
    assert np.abs(method(held(above, 10))[..., 0] - above).max() > 1


def test_the_best_linear_interpolator_leaves_nothing_that_the_knots_could_tell():
    random = np.random.default_rng(0)
    smooth = [np.convolve(random.normal(size=4_000), np.hanning(9), "same") for _ in range(3)]
    clean = np.stack(smooth)
    residual = baselines.best_linear(smooth, 4)(held(clean, 4))[..., 0] - clean
    assert np.std(residual) < np.std(
        baselines.interpolators(4)["cubic spline"](held(clean, 4))[..., 0] - clean
    )
    for place in (1, 2, 3):
        wrong = residual[:, 100 + place : -100 : 4]
        for shift in (-2, 0, 1, 3):
            near = clean[:, 100 + 4 * shift :: 4][:, : wrong.shape[1]]
            assert abs(np.mean(wrong * near)) < 0.02 * wrong.std() * near.std() + 1e-9
