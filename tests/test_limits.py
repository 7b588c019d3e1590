import numpy as np
import pytest

from recon import limits


def test_the_noise_bound_is_what_an_oracle_measures():
    random = np.random.default_rng(0)
    n_samples, n = 64, np.arange(64)
    errors = []
    for _ in range(6_000):
        cycles, phase = random.integers(1, 20), random.uniform(0, 2 * np.pi)
        stddev, rate = random.uniform(0.01, 0.1), random.uniform(0, 0.1)
        clean = np.sin(2 * np.pi * cycles * n / n_samples + phase)
        noisy = clean + stddev * random.normal(size=n_samples)
        kept = random.random(n_samples) >= rate  # the oracle knows what was hit, and drops it
        angle = 2 * np.pi * cycles * n / n_samples
        basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        weights = np.linalg.lstsq(basis[kept], noisy[kept], rcond=None)[0]
        errors.append(np.mean((basis @ weights - clean) ** 2))
    bound = limits.noise_reduction(n_samples=64, stddev=(0.01, 0.1), impulse_rate=(0, 0.1))
    assert abs(np.mean(errors) - bound) < 5 * np.std(errors) / np.sqrt(len(errors)) + 0.01 * bound


def test_without_impulses_the_noise_bound_is_two_amplitudes_in_n_samples():
    for stddev in (0.01, 0.3):
        bound = limits.noise_reduction(n_samples=50, stddev=(stddev, stddev), impulse_rate=(0, 0))
        assert bound == pytest.approx(2 * stddev**2 / 50)


def test_at_the_defaults_all_that_time_quantization_loses_is_the_amplitude_at_five_cycles():
    errors = limits.inverse_quantization()
    assert np.flatnonzero(errors).tolist() == [4]  # 5 cycles
    assert errors[4] == pytest.approx(0.95**2 / 12 / 2)


@pytest.mark.parametrize("phase", [0.0, 0.3, np.pi / 2])
def test_no_answer_by_knots_beats_the_posterior_mean(phase):
    settings = {"n_samples": 24, "cycles": (1, 11), "amplitude": (0.2, 1.0), "hold_length": 4}
    limit = limits.inverse_quantization(phase=phase, **settings)
    random = np.random.default_rng(1)
    n = np.arange(24)
    cycles, amplitude = random.integers(1, 12, 40_000), random.uniform(0.2, 1.0, 40_000)
    waves = amplitude[:, None] * np.sin(2 * np.pi * cycles[:, None] * n / 24 + phase)
    # Brute force: group waves by the direction of their knots, and fit the best answer to each.
    knots = waves[:, ::4]
    size = np.abs(knots).max(axis=1, keepdims=True)
    direction = np.round(np.where(size > 1e-9, knots / np.where(size > 1e-9, size, 1), 0), 6)
    _, group = np.unique(direction, axis=0, return_inverse=True)
    errors = np.empty(len(waves))
    for label in np.unique(group):
        rows = group.ravel() == label
        inputs = np.concatenate([np.ones((rows.sum(), 1)), size[rows]], axis=1)
        answer = inputs @ np.linalg.lstsq(inputs, waves[rows], rcond=None)[0]
        errors[rows] = np.mean((answer - waves[rows]) ** 2, axis=1)
    measured = np.array([errors[cycles == c].mean() for c in range(1, 12)])
    np.testing.assert_allclose(measured, limit, atol=0.01)
