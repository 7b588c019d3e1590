"""Whatever SIGNAL and DAMAGE describe, data, predicted error, limit and estimator agree on it."""

from functools import cache

import numpy as np
import pytest

from recon import baselines, datasets, limits

COUNT = datasets.BLOCK  # waveforms measured
CIRCLE = (0.0, 2 * np.pi)


def between(random, low, high):
    """A range within [low, high], in one of four draws a constant."""
    ends = np.sort(random.uniform(low, high, 2))
    return (ends[0], ends[0]) if random.random() < 0.25 else tuple(ends)


def signal(random, fewest, nyquist, phase):
    """A random SIGNAL; `phase` says of which kind, and the shortest frame is 16 samples."""
    n_samples = int(random.integers(16, 301))
    most = n_samples // 2 if nyquist else (n_samples - 1) // 2
    start = random.uniform(-3, 3)
    width = {"constant": 0, "circle": 2 * np.pi, "partial": random.uniform(0.5, 5)}[phase]
    low = random.choice([0.0, 0.1, 0.5])
    return {
        "n_samples": n_samples,
        "cycles": tuple(np.sort(random.integers(fewest, most + 1, 2))),
        "amplitude": between(random, low, random.uniform(low + 0.1, 3)),
        "phase": (start, start + width),
    }


def with_error(estimate, clean):
    """The mean squared error and its standard error."""
    errors = np.mean((estimate - clean) ** 2, axis=(1, 2), dtype=np.float64)
    return errors.mean(), errors.std() / np.sqrt(len(errors))


PHASES = ("constant", "circle", "partial")


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(12))
def test_noise_of_any_description_has_the_predicted_error_and_no_estimate_beats_the_bound(draw):
    random, phase = np.random.default_rng(draw), PHASES[draw % 3]
    SIGNAL = signal(random, 1, False, phase)
    DAMAGE = {
        "stddev": between(random, random.choice([0.0, 0.02]), random.uniform(0.03, 0.5)),
        "impulse_rate": between(random, 0, random.choice([0.0, 0.03, 0.3])),
        "impulse_amplitude": random.uniform(0, 3),
    }
    easy = draw % 2 == 0  # the cycle count is plain, and so is every impulse
    if easy:
        SIGNAL["amplitude"] = between(random, 0.5, 1.5)
        DAMAGE["stddev"] = between(random, 0.01, 0.03 * np.sqrt(SIGNAL["n_samples"] / 16))
        DAMAGE["impulse_rate"] = between(random, 0, 0.02)
        DAMAGE["impulse_amplitude"] = 20 * DAMAGE["stddev"][1]
    corrupted, clean = datasets.take(
        datasets.noise_reduction(COUNT, seed=draw, **SIGNAL, **DAMAGE), COUNT
    )
    assert corrupted.shape == (COUNT, SIGNAL["n_samples"], 1)
    before, tolerance = with_error(corrupted, clean)
    assert before == pytest.approx(limits.noise_error(**SIGNAL, **DAMAGE), abs=5 * tolerance)
    estimate = baselines.expectation_maximisation(corrupted, **SIGNAL, **DAMAGE)
    after, tolerance = with_error(estimate, clean)
    bound = limits.noise_bound(**SIGNAL, **DAMAGE)
    assert 0 < bound <= after + 5 * tolerance
    if easy and phase != "partial":
        assert after <= 10**0.05 * bound + 5 * tolerance


@pytest.mark.parametrize("draw", range(12))
def test_holds_of_any_description_have_the_predicted_error_and_no_estimate_beats_the_bound(draw):
    random, phase = np.random.default_rng(100 + draw), PHASES[draw % 3]
    SIGNAL = signal(random, 0, True, phase)
    lengths = np.sort(random.integers(1, SIGNAL["n_samples"] // 4 + 1, 2))
    ranged = draw % 4 == 3
    if ranged:
        lengths[1] = min(lengths[1], lengths[0] + 5)
    DAMAGE = {"hold_length": tuple(lengths) if ranged else lengths[0]}
    corrupted, clean = datasets.take(
        datasets.inverse_quantization(COUNT, seed=draw, **SIGNAL, **DAMAGE), COUNT
    )
    before, tolerance = with_error(corrupted, clean)
    rounding = 1e-6 * limits.mean_square(SIGNAL["amplitude"])
    predicted = np.mean(limits.hold_error(**SIGNAL, **DAMAGE))
    assert before == pytest.approx(predicted, abs=5 * tolerance + rounding)
    estimate = baselines.posterior_mean(corrupted, **SIGNAL, **DAMAGE)
    after, tolerance = with_error(estimate, clean)
    bound = np.mean(limits.hold_bound(**SIGNAL, **DAMAGE))
    assert 0 <= bound <= after + 5 * tolerance + rounding
    # A cycle count that all knots see at the same place does not tell a hold from a longer one.
    counts = np.arange(SIGNAL["cycles"][0], SIGNAL["cycles"][1] + 1)
    told = np.all(
        np.outer(counts, limits.hold_lengths(DAMAGE["hold_length"])) % SIGNAL["n_samples"]
    )
    if phase != "partial" and (told or not ranged):
        assert after == pytest.approx(bound, abs=5 * tolerance + rounding)


SIGNAL = {"n_samples": 60, "cycles": (1, 9), "amplitude": (0.1, 1.0), "phase": (0.0, 2 * np.pi)}
DAMAGES = {
    "noise_reduction": {"stddev": (0.1, 0.2), "impulse_rate": (0.1, 0.2), "impulse_amplitude": 0.5},
    "inverse_quantization": {"hold_length": (5, 6)},  # 12 or 10 knots: most counts have an alias
}
THEORY = {
    "noise_reduction": (limits.noise_error, limits.noise_bound),
    "inverse_quantization": (limits.hold_error, limits.hold_bound),
}
CHANGES = {  # what each number, a little larger or smaller, does to the input error and the bound
    "noise_reduction": [
        ("n_samples", 61, "same", "lower"),  # more samples for the same unknowns
        ("cycles", (2, 9), "same", "same"),  # the oracle tells the cycle count
        ("cycles", (1, 8), "same", "same"),
        ("amplitude", (0.2, 1.0), "same", "lower"),  # a narrower prior
        ("amplitude", (0.1, 0.9), "same", "lower"),
        ("phase", (0.1, 2 * np.pi), "same", "lower"),  # told where it is no full circle
        ("phase", (0.0, 6.0), "same", "lower"),
        ("stddev", (0.11, 0.2), "higher", "higher"),
        ("stddev", (0.1, 0.21), "higher", "higher"),
        ("impulse_rate", (0.11, 0.2), "higher", "same"),  # the oracle tells every impulse
        ("impulse_rate", (0.1, 0.21), "higher", "same"),
        ("impulse_amplitude", 0.6, "higher", "same"),
    ],
    "inverse_quantization": [
        ("n_samples", 61, "lower", "lower"),  # slower waves, and a prime has no aliases
        ("cycles", (2, 9), "higher", "lower"),  # 9 cycles lose their alias
        ("cycles", (1, 8), "lower", "lower"),
        ("amplitude", (0.2, 1.0), "higher", "higher"),
        ("amplitude", (0.1, 0.9), "lower", "lower"),
        ("phase", (0.1, 2 * np.pi), "other", "lower"),
        ("phase", (0.0, 6.0), "other", "lower"),
        ("hold_length", (4, 6), "lower", "lower"),
        ("hold_length", (5, 7), "higher", "other"),  # nor has a hold of 7 in 60 samples
    ],
}


@cache
def first_batch(task):
    return next(iter(getattr(datasets, task)(64, seed=1, **SIGNAL, **DAMAGES[task])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name", "value", "error", "bound"),
    [(task, *change) for task, changes in CHANGES.items() for change in changes],
)
def test_every_number_of_the_description_counts(task, name, value, error, bound):
    base, build = SIGNAL | DAMAGES[task], getattr(datasets, task)
    changed = base | {name: value}
    one, two = first_batch(task), next(iter(build(64, seed=1, **changed)))
    assert one[0].shape != two[0].shape or np.any(one[0] != two[0])
    for theory, expected in zip(THEORY[task], (error, bound), strict=True):
        before, after = (np.mean(theory(**d)) for d in (base, changed))
        alike = np.isclose(before, after, rtol=1e-9)
        found = "same" if alike else "higher" if after > before else "lower"
        assert found == expected or (expected == "other" and not alike), theory
