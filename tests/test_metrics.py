import numpy as np
import pytest

from recon import metrics

RANDOM = np.random.default_rng(0)
REFERENCE = RANDOM.normal(size=(4, 50, 1))
ESTIMATE = REFERENCE + 0.1 * RANDOM.normal(size=REFERENCE.shape)


def naive(reference, estimate):
    """The formulas, sample by sample."""
    error = sum((a - b) ** 2 for a, b in zip(reference, estimate, strict=True))
    power = sum(a**2 for a in reference)
    scale = sum(a * b for a, b in zip(reference, estimate, strict=True)) / power
    target = [scale * a for a in reference]
    distortion = sum((t - b) ** 2 for t, b in zip(target, estimate, strict=True))
    return {
        "mse": error / len(reference),
        "snr_db": 10 * np.log10(power / error),
        "si_sdr_db": 10 * np.log10(sum(t**2 for t in target) / distortion),
    }


@pytest.mark.parametrize("name", ["mse", "snr_db", "si_sdr_db"])
def test_a_metric_is_its_formula_for_one_waveform_and_for_many(name):
    metric = getattr(metrics, name)
    expected = [naive(a[:, 0], b[:, 0])[name] for a, b in zip(REFERENCE, ESTIMATE, strict=True)]
    np.testing.assert_allclose(metric(REFERENCE, ESTIMATE), expected)
    one = metric(REFERENCE[0, :, 0], ESTIMATE[0, :, 0])
    assert isinstance(one, float)
    np.testing.assert_allclose(one, expected[0])


def test_reference_and_estimate_are_not_interchangeable():
    assert metrics.snr_db([2.0, 0.0], [1.0, 0.0]) != metrics.snr_db([1.0, 0.0], [2.0, 0.0])
    assert metrics.si_sdr_db([2.0, 1.0], [1.0, 0.0]) != pytest.approx(
        metrics.si_sdr_db([1.0, 0.0], [5.0, 4.0])
    )


def test_si_sdr_ignores_the_estimates_scale_and_snr_does_not():
    scaled = metrics.si_sdr_db(REFERENCE, 3 * ESTIMATE)
    np.testing.assert_allclose(scaled, metrics.si_sdr_db(REFERENCE, ESTIMATE))
    assert np.all(
        metrics.snr_db(REFERENCE, 3 * ESTIMATE) < metrics.snr_db(REFERENCE, ESTIMATE) - 10
    )


@pytest.mark.parametrize("level", [1e-307, 1e-200, 1e25])
def test_a_ratio_is_the_same_at_every_level(level):
    a, b = level * REFERENCE, level * ESTIMATE
    for name in ("snr_db", "si_sdr_db"):
        metric = getattr(metrics, name)
        np.testing.assert_allclose(metric(a, b), metric(REFERENCE, ESTIMATE), rtol=1e-9)
    gains = [metrics.gain_db(x, 0 * x, y) for x, y in ((a, b), (REFERENCE, ESTIMATE))]
    assert gains[0] == pytest.approx(gains[1])
    assert metrics.snr_db([0.0], [level]) == -np.inf


def test_gain_compares_errors_averaged_over_the_whole_set():
    clean, noisy = np.zeros((2, 4)), np.array([[1.0] * 4, [3.0] * 4])
    better = np.array([[1.0] * 4, [0.0] * 4])
    assert metrics.gain_db(clean, noisy, better) == pytest.approx(10 * np.log10(5 / 0.5))


INF, SILENCE, TONE = np.inf, [0.0, 0.0], [1.0, -1.0]


@pytest.mark.parametrize(
    ("metric", "signals", "expected"),
    [
        ("mse", (TONE, TONE), 0),
        ("mse", (SILENCE, SILENCE), 0),
        ("snr_db", (TONE, TONE), INF),
        ("snr_db", (SILENCE, SILENCE), INF),
        ("snr_db", (SILENCE, TONE), -INF),
        ("snr_db", (TONE, SILENCE), 0),
        ("si_sdr_db", (TONE, TONE), INF),
        ("si_sdr_db", (SILENCE, SILENCE), INF),
        ("si_sdr_db", (SILENCE, TONE), -INF),
        ("si_sdr_db", (TONE, SILENCE), -INF),
        ("gain_db", (TONE, SILENCE, TONE), INF),
        ("gain_db", (TONE, TONE, TONE), 0),
    ],
)
def test_silence_and_perfection_are_defined(metric, signals, expected):
    assert getattr(metrics, metric)(*signals) == expected


def test_integers_are_taken_at_face_value_without_overflow():
    loud = np.array([30_000, -30_000], np.int16)
    assert metrics.mse(loud, -loud) == 60_000**2
    assert metrics.snr_db(loud, loud // 2) == pytest.approx(20 * np.log10(2))


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (([1.0, 2.0], [1.0]), "reference and estimate .*shape"),
        (([1.0, np.nan], [1.0, 1.0]), r"reference .*finite.* nan at \[1\]"),
        (([1.0, 1.0], [np.inf, 1.0]), r"estimate .*finite.* inf at \[0\]"),
        (([], []), "reference .*samples"),
        ((1.0, 1.0), "reference .*real array"),
        (([1j], [1j]), "reference .*real"),
        ((["a"], ["b"]), "reference .*real"),
    ],
)
def test_bad_input_is_named_in_one_line(signals, message):
    for metric in (metrics.mse, metrics.snr_db, metrics.si_sdr_db):
        with pytest.raises(ValueError, match=f"^{message}"):
            metric(*signals)


def naive_distance(reference, estimate, low, high, frame_length):
    """The formula, frame by frame and bin by bin."""
    window = [0.5 - 0.5 * np.cos(2 * np.pi * n / frame_length) for n in range(frame_length)]
    frames = []
    for start in range(0, len(reference) - frame_length + 1, frame_length // 4):
        squares = []
        for k in range(frame_length // 2 + 1):
            if low <= k / (frame_length // 2) <= high:
                turn = np.exp(-2j * np.pi * k * np.arange(frame_length) / frame_length)
                powers = [
                    abs(sum(window * x[start : start + frame_length] * turn) / sum(window)) ** 2
                    for x in (reference, estimate)
                ]
                squares.append(np.log10((powers[0] + 1e-8) / (powers[1] + 1e-8)) ** 2)
        frames.append(np.sqrt(np.mean(squares)))
    return np.mean(frames)


@pytest.mark.parametrize("band", [(0.0, 1.0), (0.0, 0.25), (0.25, 1.0)])
def test_the_log_spectral_distance_is_its_formula(band):
    found = metrics.log_spectral_distance(REFERENCE, ESTIMATE, band=band, frame_length=16)
    pairs = zip(REFERENCE[..., 0], ESTIMATE[..., 0], strict=True)
    expected = [naive_distance(a, b, *band, 16) for a, b in pairs]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("band", (0.6, 0.3)),
        ("band", (0.3, 0.3)),
        ("band", (0.0, 2.0)),
        ("frame_length", 5),
        ("frame_length", 2),
        ("frame_length", 16.5),
    ],
)
def test_a_spectral_distance_that_is_none_is_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name} must "):
        metrics.log_spectral_distance(REFERENCE, ESTIMATE, **{name: value})


def test_the_log_spectral_distance_of_silence_and_of_a_short_waveform_is_finite():
    assert metrics.log_spectral_distance(np.zeros(100), np.zeros(100)) == 0
    assert 0 < metrics.log_spectral_distance(np.ones(5), np.zeros(5)) < 10
