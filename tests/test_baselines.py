from functools import partial

import numpy as np
import pytest
from scipy import interpolate, signal

from recon import baselines

RANDOM = np.random.default_rng(0)
NOISY = RANDOM.normal(size=(3, 101, 1)).astype(np.float32)
METHODS = {
    f"{kind} {name}": method
    for kind, group in (
        ("denoiser", baselines.denoisers(NOISY, 0.5 * NOISY)),
        ("interpolator", baselines.interpolators(7)),
        ("periodic", {"FFT": partial(baselines.fft, hold_length=7, periodic=True)}),
    )
    for name, method in group.items()
}
INTERPOLATORS = [name for name in baselines.interpolators(1) if name != "step-hold"]


def held(wave, hold_length):
    """What a sample-and-hold makes of waves [batch, n_samples], as a model would get it."""
    n = np.arange(wave.shape[1])
    return wave[:, n - n % hold_length, None].astype(np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_a_baseline_has_a_models_call_shape_and_leaves_its_input_alone(name):
    before = NOISY.copy()
    estimate = METHODS[name](NOISY)
    assert estimate.shape == NOISY.shape
    assert estimate.dtype == np.float32
    assert np.isfinite(estimate).all()
    np.testing.assert_array_equal(NOISY, before)


@pytest.mark.parametrize("name", METHODS)
def test_waveforms_of_a_batch_do_not_mix(name):
    alone = METHODS[name](NOISY[1:2])
    np.testing.assert_allclose(METHODS[name](NOISY)[1:2], alone, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("level", [1e-25, 1e28])
def test_a_signal_of_any_size_is_treated_alike(name, level):
    expected = METHODS[name](NOISY)
    for dtype in (np.float32, np.float64):
        scaled = METHODS[name]((level * NOISY.astype(np.float64)).astype(dtype)) / level
        np.testing.assert_allclose(scaled, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_silence_stays_silent(name):
    assert not np.any(METHODS[name](np.zeros((1, 64, 1), np.float32)))


@pytest.mark.parametrize("name", INTERPOLATORS)
@pytest.mark.parametrize("hold_length", [1, 2, 5, 10])
def test_every_interpolator_passes_through_the_knots(name, hold_length):
    wave = RANDOM.normal(size=(2, 60))
    estimate = baselines.interpolators(hold_length)[name](held(wave, hold_length))[..., 0]
    np.testing.assert_allclose(estimate[:, ::hold_length], wave[:, ::hold_length], atol=1e-5)


def test_linear_interpolation_is_numpys():
    wave = RANDOM.normal(size=(1, 60))
    estimate = baselines.interpolators(5)["linear"](held(wave, 5))[0, :, 0]
    expected = np.interp(np.arange(60), np.arange(0, 60, 5), wave[0, ::5])
    np.testing.assert_allclose(estimate, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "degree"), [("linear", 1), ("cubic spline", 3), ("Lagrange, 13 points", 12)]
)
def test_a_polynomial_of_the_methods_degree_comes_back(name, degree):
    n = np.linspace(-1, 1, 200)
    wave = np.polynomial.chebyshev.chebval(n, np.ones(degree + 1))[None]
    estimate = baselines.interpolators(4)[name](held(wave, 4))[0, :, 0]
    middle = slice(80, 120)  # away from the repeated end knots
    np.testing.assert_allclose(estimate[middle], wave[0, middle], atol=2e-5)


def test_fft_is_exact_for_whole_cycles_below_the_knots_nyquist_limit_and_not_above():
    n = np.arange(100)
    method = partial(baselines.fft, hold_length=10, periodic=True)
    below, above = (np.sin(2 * np.pi * c * n / 100 + 0.3)[None] for c in (4, 6))
    np.testing.assert_allclose(method(held(below, 10))[0, :, 0], below[0], atol=1e-6)
    assert np.abs(method(held(above, 10))[0, :, 0] - above[0]).max() > 1


def test_higher_order_is_closer_on_a_smooth_wave():
    wave = np.sin(2 * np.pi * 12 * np.arange(384) / 384 + 0.3)[None]
    methods = baselines.interpolators(4)
    order = ["step-hold", "linear", "cubic spline", "quintic spline"]
    errors = [(methods[name](held(wave, 4))[..., 0] - wave)[:, 128:256] for name in order]
    errors = [np.abs(error).max() for error in errors]
    assert errors[1] > 10 * errors[2] > 100 * errors[3]
    assert errors[0] > errors[1]


def test_a_median_removes_a_lone_impulse_and_an_average_spreads_it():
    click = np.zeros((1, 9, 1), np.float32)
    click[0, 4] = 1
    assert not np.any(baselines.median(click))
    np.testing.assert_allclose(baselines.moving_average(click)[0, 3:6, 0], 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_median_and_average_are_the_naive_loops(kernel_size):
    half = kernel_size // 2
    mirrored = np.pad(NOISY[0, :, 0], half, mode="symmetric")
    windows = [mirrored[i : i + kernel_size] for i in range(101)]
    median = baselines.median(NOISY, kernel_size=kernel_size)[0, :, 0]
    average = baselines.moving_average(NOISY, kernel_size=kernel_size)[0, :, 0]
    np.testing.assert_allclose(median, [np.median(w) for w in windows], atol=1e-6)
    np.testing.assert_allclose(average, [np.mean(w) for w in windows], atol=1e-6)


def test_savitzky_golay_keeps_a_cubic():
    cubic = (np.linspace(-1, 1, 50) ** 3)[None, :, None]
    np.testing.assert_allclose(baselines.savitzky_golay(cubic), cubic, atol=1e-9)


@pytest.mark.parametrize(("window_length", "polyorder"), [(21, 10), (101, 6), (1001, 4)])
def test_savitzky_golay_of_a_constant_is_the_constant(window_length, polyorder):
    flat = np.ones((1, 2000, 1))
    filtered = baselines.savitzky_golay(flat, window_length=window_length, polyorder=polyorder)
    np.testing.assert_allclose(filtered, 1, atol=1e-5)


@pytest.mark.parametrize(
    ("window_length", "polyorder"), [(401, 6), (31, 13), (1501, 5), (201, 150)]
)
def test_a_polynomial_that_numbers_of_64_bits_do_not_find_is_refused(window_length, polyorder):
    with pytest.raises(ValueError, match=r"^\(window_length / 2\)\^polyorder must be below"):
        baselines.savitzky_golay(
            np.ones((1, 2000, 1)), window_length=window_length, polyorder=polyorder
        )


def test_wiener_is_scipys_per_waveform():
    expected = signal.wiener(NOISY[1, :, 0].astype(float), 5)
    np.testing.assert_allclose(baselines.wiener(NOISY)[1, :, 0], expected, atol=1e-6)


def test_the_largest_bin_of_a_lone_sinusoid_is_the_sinusoid():
    wave = 0.7 * np.sin(2 * np.pi * 9 * np.arange(256) / 256 + 1)[None, :, None]
    np.testing.assert_allclose(baselines.largest_bin(wave.astype(np.float32)), wave, atol=1e-6)
    noise = np.random.default_rng(1).normal(size=(2_000, 256, 1))
    left = np.var(baselines.largest_bin(wave + 0.1 * noise) - wave)
    np.testing.assert_allclose(left, 2 * 0.1**2 / 256, rtol=0.1)  # two amplitudes of 256 samples


def test_each_denoisers_window_is_the_best_on_the_validation_data():
    n = np.arange(256)
    noise = np.random.default_rng(2).normal(size=(4, 256, 1)).astype(np.float32)
    for cycles, expected in ((1, 17), (60, 3)):  # a slow wave bears a long window, a fast one not
        clean = np.sin(2 * np.pi * cycles * n / 256)[None, :, None].astype(np.float32)
        clean = np.tile(clean, (4, 1, 1))
        chosen = baselines.denoisers(clean + 0.3 * noise, clean)
        assert f"moving average of {expected}" in chosen


def test_the_lagrange_curve_is_scipys_through_the_thirteen_nearest_knots():
    knots = RANDOM.normal(size=60)
    estimate = baselines.lagrange(held(np.repeat(knots, 3)[None], 3), hold_length=3)[0, :, 0]
    for sample in (91, 92):  # a third of a knot after knot 30, and a third before knot 31
        nearest = np.arange(13) + round(sample / 3) - 6
        expected = interpolate.BarycentricInterpolator(nearest, knots[nearest])(sample / 3)
        np.testing.assert_allclose(estimate[sample], expected, rtol=1e-5)


def test_the_largest_bin_is_never_the_mean():
    wave = 0.1 * np.sin(2 * np.pi * 9 * np.arange(256) / 256)[None, :, None]
    np.testing.assert_allclose(baselines.largest_bin(wave + 1), wave, atol=1e-9)


def test_the_best_linear_interpolator_is_the_best_that_is_linear():
    random = np.random.default_rng(0)
    smooth = [np.convolve(random.normal(size=4_000), np.hanning(9), "same") for _ in range(3)]
    clean = np.stack(smooth)[..., None]
    held = np.repeat(clean[:, ::4], 4, axis=1)
    fitted = baselines.best_linear(smooth, 4)
    error = {"fitted": np.mean((fitted(held) - clean) ** 2)}
    for name, method in baselines.interpolators(4).items():
        error[name] = np.mean((method(held) - clean) ** 2)
    assert min(error, key=error.get) == "fitted"
    # Its residual has nothing left that the knots around could tell.
    residual, knots = (fitted(held) - clean)[:, 100:-100, 0], clean[:, ::4, 0]
    for phase in (1, 2, 3):
        wrong = residual[:, phase::4]
        for shift in (-2, 0, 1, 3):
            near = knots[:, 25 + shift :][:, : wrong.shape[1]]
            assert abs(np.mean(wrong * near)) < 0.02 * wrong.std() * near.std() + 1e-9


def test_given_bins_is_least_squares_in_the_bins_of_the_clean_signal():
    n, noise = np.arange(100), np.random.default_rng(3).normal(size=(500, 100, 1))
    wave = 0.3 * np.sin(2 * np.pi * 7 * n / 100 + 1) + np.cos(2 * np.pi * 12 * n / 100)
    clean = np.tile(wave[:, None], (500, 1, 1))
    estimate = baselines.given_bins(clean + noise, clean)
    angles = 2 * np.pi * np.outer(n, [7, 12]) / 100
    basis = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    expected = basis @ np.linalg.lstsq(basis, clean[0] + noise[0], rcond=None)[0]
    np.testing.assert_allclose(estimate[0], expected, atol=1e-9)
    np.testing.assert_allclose(np.var(estimate - clean), 4 / 100, rtol=0.1)  # four amplitudes
    for level in (1e-25, 1e25):
        noisy, signal = (np.float32(level * x) for x in (clean + noise, clean))
        np.testing.assert_allclose(baselines.given_bins(noisy, signal) / level, estimate, atol=1e-4)


WAVES = {"n_samples": 64, "cycles": (1, 9), "amplitude": (0.1, 1.0), "phase": (0.0, 2 * np.pi)}
NOISE = {"stddev": (0.01, 0.1), "impulse_rate": (0.0, 0.02), "impulse_amplitude": 0.5}
ESTIMATORS = {
    "expectation-maximisation": partial(baselines.expectation_maximisation, **WAVES, **NOISE),
    "posterior mean": partial(baselines.posterior_mean, **WAVES, hold_length=5),
}


@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.0, 2 * np.pi)])
def test_far_beyond_every_amplitude_an_estimate_lies_within_the_range(phase):
    noisy = 1e20 * NOISY[:, :64].astype(np.float64)
    estimate = baselines.expectation_maximisation(noisy, **WAVES | {"phase": phase}, **NOISE)
    assert 0.1 < np.abs(estimate).max() < 1


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_has_a_models_call_shape_and_needs_the_described_frames(name):
    noisy = NOISY[:, :64].copy()
    estimate = ESTIMATORS[name](noisy)
    assert estimate.shape == noisy.shape
    assert estimate.dtype == np.float32
    np.testing.assert_array_equal(noisy, NOISY[:, :64])
    np.testing.assert_allclose(ESTIMATORS[name](noisy[1:2]), estimate[1:2], atol=1e-6)
    for wrong in (NOISY, noisy[..., 0], np.zeros((2, 64, 2))):
        with pytest.raises(ValueError, match="^(frames|corrupted|held) must be "):
            ESTIMATORS[name](wrong)


def test_of_a_range_of_hold_lengths_the_posterior_mean_finds_the_one_of_each_waveform():
    n, lengths = np.arange(64), np.array([3, 4, 5, 6])
    wave = 0.7 * np.sin(2 * np.pi * 5 * n / 64 + 1)
    stepped = wave[n // lengths[:, None] * lengths[:, None], None]
    found = baselines.posterior_mean(stepped, **WAVES, hold_length=(3, 6))
    np.testing.assert_allclose(found[..., 0], np.tile(wave, (4, 1)), atol=1e-9)


@pytest.mark.parametrize("name", ["median of {}", "moving average of {}", "Wiener of {}"])
def test_integers_are_restored_as_numbers_and_stereo_is_refused(name):
    methods = {"median of {}": baselines.median, "moving average of {}": baselines.moving_average}
    method = methods.get(name, baselines.wiener)
    whole = np.array([0, 3, 0, 0, 3, 0])[None, :, None]
    np.testing.assert_allclose(method(whole), method(whole.astype(float)))
    with pytest.raises(ValueError, match="^(noisy|held) must be "):
        method(np.zeros((2, 50, 2)))
    with pytest.raises(ValueError, match="^(noisy|held) must be "):
        method(np.zeros(50))


def test_windows_fit_into_the_frame():
    noisy = np.random.default_rng(0).normal(size=(4, 9, 1))
    for method in baselines.denoisers(noisy, noisy).values():
        assert method(noisy).shape == noisy.shape
    assert list(baselines.denoisers(noisy[:, :2], noisy[:, :2])) == [
        "untouched input", "largest FFT bin",
    ]  # fmt: skip


@pytest.mark.parametrize("hold_length", [0, 2.5, -2, "4"])
def test_a_hold_that_is_none_is_refused(hold_length):
    for build in (baselines.interpolators, partial(baselines.best_linear, [np.ones(50)])):
        with pytest.raises(ValueError, match="^hold_length must be "):
            build(hold_length)
    assert baselines.interpolators(4.0).keys() == baselines.interpolators(4).keys()
