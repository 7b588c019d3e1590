"""Metrics against their formulas, written out sample by sample and bin by bin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon import metrics

INF, SILENCE, TONE = np.inf, [0.0, 0.0], [1.0, -1.0]
REFERENCE = np.random.default_rng(0).normal(size=(4, 50, 1))
ESTIMATE = REFERENCE + 0.1 * np.random.default_rng(1).normal(size=REFERENCE.shape)


def naive(reference, estimate):
    """{metric: value} of one waveform."""
    pairs = list(zip(reference, estimate, strict=True))
    error, power = sum((a - b) ** 2 for a, b in pairs), sum(a**2 for a in reference)
    target = [a * sum(a * b for a, b in pairs) / power for a in reference]
    distortion = sum((t - b) ** 2 for t, b in zip(target, estimate, strict=True))
    return {
        "mse": error / len(reference),
        "snr_db": 10 * np.log10(power / error),
        "si_sdr_db": 10 * np.log10(sum(t**2 for t in target) / distortion),
    }


@given(st.integers(0, 99), st.integers(2, 40), st.floats(0.01, 100), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_metric_is_its_formula_for_one_waveform_and_for_many(seed, n_samples, level, noise):
    random = np.random.default_rng(seed)
    a, b = level * random.normal(size=(2, 3, n_samples, 1))
    b = a + noise * b
    rows = [naive(x[:, 0], y[:, 0]) for x, y in zip(a, b, strict=True)]
    for name in rows[0]:
        metric, expected = getattr(metrics, name), [row[name] for row in rows]
        np.testing.assert_allclose(metric(a, b), expected, rtol=1e-6, atol=1e-6)
        one = metric(a[0, :, 0], b[0, :, 0])
        assert isinstance(one, float)
        assert one == pytest.approx(expected[0], rel=1e-6, abs=1e-6)
    scaled = metrics.si_sdr_db(a, 3 * b)
    np.testing.assert_allclose(scaled, metrics.si_sdr_db(a, b), rtol=1e-6, atol=1e-6)


def test_gain_compares_errors_averaged_over_the_whole_set():
    clean, noisy = np.zeros((2, 4)), np.array([[1.0] * 4, [3.0] * 4])
    better = np.array([[1.0] * 4, [0.0] * 4])
    assert metrics.gain_db(clean, noisy, better) == pytest.approx(10 * np.log10(5 / 0.5))
    assert metrics.gain_db(clean, noisy, clean) == INF


@pytest.mark.parametrize(
    ("reference", "estimate", "snr", "si_sdr"),
    [
        (TONE, TONE, INF, INF),
        (SILENCE, SILENCE, INF, INF),
        (SILENCE, TONE, -INF, -INF),
        (TONE, SILENCE, 0, -INF),
    ],
)
def test_silence_and_perfection_are_defined(reference, estimate, snr, si_sdr):
    assert metrics.snr_db(reference, estimate) == snr
    assert metrics.si_sdr_db(reference, estimate) == si_sdr
    assert metrics.mse(reference, reference) == metrics.gain_db(reference, estimate, estimate) == 0


def test_integers_are_taken_at_face_value():
    assert metrics.mse(np.int16([30_000, -30_000]), np.int16([-30_000, 30_000])) == 60_000**2


@pytest.mark.parametrize("name", ["mse", "snr_db", "si_sdr_db", "log_spectral_distance", "gain_db"])
def test_shapes_that_would_broadcast_are_refused(name):
    wrong = [REFERENCE[:1]] * (2 if name == "gain_db" else 1)
    with pytest.raises(ValueError, match="^reference.* estimate must have one shape, got "):
        getattr(metrics, name)(REFERENCE, *wrong)


def naive_distance(reference, estimate, low, high, frame_length):
    """The log-spectral distance of one waveform."""
    n = np.arange(frame_length)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / frame_length)
    frames = []
    for start in range(0, len(reference) - frame_length + 1, frame_length // 4):
        squares = []
        for k in range(frame_length // 2 + 1):
            if low <= k / (frame_length // 2) <= high:
                wave = window * np.exp(-2j * np.pi * k * n / frame_length) / sum(window)
                powers = [abs(sum(x[start + n] * wave)) ** 2 for x in (reference, estimate)]
                squares.append(np.log10((powers[0] + 1e-8) / (powers[1] + 1e-8)) ** 2)
        frames.append(np.sqrt(np.mean(squares)))
    return np.mean(frames)


@pytest.mark.parametrize("band", [(0.0, 1.0), (0.0, 0.25), (0.25, 1.0)])
def test_the_log_spectral_distance_is_its_formula(band):
    distances = metrics.log_spectral_distance(REFERENCE, ESTIMATE, band=band, frame_length=16)
    pairs = zip(REFERENCE[..., 0], ESTIMATE[..., 0], strict=True)
    np.testing.assert_allclose(distances, [naive_distance(a, b, *band, 16) for a, b in pairs])


def test_the_log_spectral_distance_of_silence_and_short_waveforms_is_finite():
    assert metrics.log_spectral_distance(np.zeros(100), np.zeros(100)) == 0
    assert 0 < metrics.log_spectral_distance(np.ones(5), np.zeros(5)) < 10
