"""The bounds against brute force, closed forms and simulation; their estimators against both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon import baselines, limits

CIRCLE = (0.0, 2 * np.pi)
WAVES = {"n_samples": 256, "cycles": (1, 32), "amplitude": (0.05, 1.0), "phase": CIRCLE}
NOISE = {"stddev": (0.01, 0.1), "impulse_rate": (0.0, 0.02), "impulse_amplitude": 0.5}
HELD = {"n_samples": 100, "cycles": (1, 9), "amplitude": (0.05, 1.0), "phase": (0.0, 0.0)}
HELD["hold_length"] = 10
POWER = (0.05**2 + 0.05 * 1 + 1**2) / 3  # mean square of their amplitudes


def noise_bound(**changes):
    return limits.noise_bound(**WAVES | NOISE | changes)


def estimate_noise(corrupted, **changes):
    description = WAVES | NOISE | {"n_samples": corrupted.shape[1]} | changes
    return baselines.expectation_maximisation(corrupted[..., None], **description)[..., 0]


def hold_bound(**changes):
    return limits.hold_bound(**HELD | changes)


def estimate_held(wave, **changes):
    """The posterior mean of a wave [n_samples] after a hold."""
    description = HELD | {"n_samples": len(wave)} | changes
    n, hold_length = np.arange(len(wave)), description["hold_length"]
    held = wave[n // hold_length * hold_length][None, :, None].astype(np.float32)
    return baselines.posterior_mean(held, **description)[0, :, 0]


def draw(random, count, *, n_samples, cycles, amplitude, phase):
    """Clean waveforms [count, n_samples] and their cycle counts, from the formula."""
    counts = random.integers(cycles[0], cycles[1] + 1, count)
    sizes, phases = random.uniform(*amplitude, count), random.uniform(*phase, count)
    angle = 2 * np.pi * counts[:, None] * np.arange(n_samples) / n_samples
    return sizes[:, None] * np.sin(angle + phases[:, None]), counts


@pytest.mark.parametrize("amplitude", [(0.05, 1.0), (0.0, 1.0), (0.6, 1.0), (0.3, 0.3)])
def test_the_noise_bound_is_a_sum_over_prior_and_observation(amplitude):
    """Without Bessel functions: the posterior mean E[z | y] by summing over the prior, the error
    E|z|^2 - E|E[z | y]|^2. By symmetry y may lie on the real axis."""
    noise = 0.1  # standard deviation of each of the two amplitudes observed
    nodes, weights = np.polynomial.legendre.leggauss(60)
    size = np.mean(amplitude) + np.ptp(amplitude) / 2 * nodes
    prior = size[:, None] * np.exp(2j * np.pi * np.arange(300) / 300)
    observed = np.linspace(0, amplitude[1] + 8 * noise, 300)[:, None, None]
    likelihood = np.exp(-(np.abs(observed - prior) ** 2) / (2 * noise**2)) / (2 * np.pi * noise**2)
    density = likelihood.mean(axis=2) @ weights / 2
    moment = (likelihood * prior.real).mean(axis=2) @ weights / 2
    known = np.trapezoid(2 * np.pi * observed.ravel() * moment**2 / density, observed.ravel())
    error = (size**2 @ weights / 2 - known) / 2
    stddev = noise * np.sqrt(50 / 2)
    bound = noise_bound(n_samples=50, cycles=(1, 9), amplitude=amplitude, stddev=(stddev, stddev))
    assert bound == pytest.approx(error, rel=1e-4)


def test_the_noise_bound_averages_over_the_noise_level():
    levels = 0.01 + 0.09 * (np.arange(40) + 0.5) / 40
    bounds = [noise_bound(stddev=(level, level)) for level in levels]
    assert noise_bound() == pytest.approx(np.mean(bounds), rel=1e-3)


def test_the_noise_bound_has_closed_forms():
    small = {"n_samples": 50, "cycles": (1, 9), "stddev": (0.1, 0.1)}
    wide, one = {"amplitude": (1, 1000)}, {"amplitude": (9, 9)}
    assert noise_bound(**small, **wide) == pytest.approx(2 * 0.1**2 / 50, rel=1e-3)  # least squares
    assert noise_bound(**small, **one) == pytest.approx(0.1**2 / 50, rel=1e-3)  # phase alone
    known = small | {"phase": (0.3, 0.3)}
    assert noise_bound(**known, **wide) == pytest.approx(0.1**2 / 50, rel=1e-3)  # amplitude alone
    assert noise_bound(**known, **one) == pytest.approx(0, abs=1e-12)
    drowned = {"amplitude": (0.5, 1), "stddev": (1e4, 1e4)}
    power = (0.5**2 + 0.5 * 1 + 1**2) / 3 / 2
    assert noise_bound(**drowned) == pytest.approx(power, rel=1e-3)  # the answer is silence
    variance = 0.5**2 / 12 / 2
    assert noise_bound(**drowned, phase=(0, 0)) == pytest.approx(variance, rel=1e-3)
    assert noise_bound(stddev=(0, 0)) == 0
    assert noise_bound(phase=(-1, 5.28)) == noise_bound() > 1.9 * noise_bound(phase=(-1, 5.2))


def test_bounds_scale_with_signal_and_length():
    louder = noise_bound(amplitude=(0.5, 10.0), stddev=(0.1, 1.0))
    assert louder == pytest.approx(100 * noise_bound())
    assert noise_bound(n_samples=1024, stddev=(0.02, 0.2)) == pytest.approx(noise_bound())
    tiny = hold_bound(amplitude=(0.05e-6, 1e-6))
    np.testing.assert_allclose(tiny, 1e-12 * hold_bound(), rtol=1e-9)


@pytest.mark.slow
def test_without_an_oracle_the_noise_bound_is_nearly_reached():
    random = np.random.default_rng(0)
    clean, cycles = draw(random, 4096, **WAVES)
    stddev, rate = random.uniform(0.01, 0.1, (4096, 1)), random.uniform(0, 0.02, (4096, 1))
    noisy = clean + stddev * random.normal(size=clean.shape)
    hits = (random.random(clean.shape) < rate) * random.choice([-0.5, 0.5], clean.shape)
    # Least squares with the oracle's help has the mean error 2 E[sigma^2] / 256: how far it is off
    # on these waveforms is the luck of the draw, which the estimate shares.
    oracle = np.fft.irfft(np.fft.rfft(noisy) * (np.arange(129) == cycles[:, None]), 256)
    luck = np.mean((oracle - clean) ** 2) / (2 * 0.0037 / 256)
    excess = np.mean((estimate_noise(noisy + hits) - clean) ** 2) / luck / noise_bound()
    assert 0 < 10 * np.log10(excess) < 0.05


def test_without_impulses_the_estimate_is_the_posterior_mean():
    """Over cycles, amplitude and phase, by summing over a grid of all that may be drawn."""
    changes = {"cycles": (1, 5), "amplitude": (0.2, 1.0)}
    random = np.random.default_rng(1)
    clean, _ = draw(random, 20, **WAVES | changes | {"n_samples": 32})
    noisy = clean + 0.9 * random.normal(size=clean.shape)  # the cycle count is in doubt
    sizes, phases = 0.2 + 0.8 * (np.arange(40) + 0.5) / 40, 2 * np.pi * np.arange(60) / 60
    angle = 2 * np.pi * np.arange(1, 6)[:, None] * np.arange(32) / 32
    prior = np.sin(angle[:, None, None] + phases[:, None, None]) * sizes[:, None]
    prior = prior.reshape(-1, 32)
    logs = -((noisy[:, None] - prior) ** 2).sum(axis=2) / (2 * 0.9**2)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    expected = weights @ prior / weights.sum(axis=1, keepdims=True)
    estimate = estimate_noise(noisy, stddev=(0.9, 0.9), impulse_rate=(0, 0), **changes)
    np.testing.assert_allclose(estimate, expected, atol=1e-3)


def test_without_noise_the_estimate_takes_every_impulse_away():
    random = np.random.default_rng(2)
    clean, _ = draw(random, 50, **WAVES)
    hits = (random.random(clean.shape) < 0.1) * random.choice([-0.5, 0.5], clean.shape)
    estimate = estimate_noise(clean + hits, stddev=(0, 0.1), impulse_rate=(0, 0.2))
    np.testing.assert_allclose(estimate, clean, atol=1e-4)


def test_a_hold_loses_the_amplitude_at_five_cycles_alone():
    np.testing.assert_allclose(hold_bound(), (np.arange(1, 10) == 5) * 0.95**2 / 12 / 2)
    for count in range(1, 10):
        wave = 0.3 * np.sin(2 * np.pi * count * np.arange(100) / 100)
        expected = wave * (0.525 / 0.3 if count == 5 else 1)
        np.testing.assert_allclose(estimate_held(wave), expected, atol=1e-5)
    loud = 5 * 0.3 * np.sin(2 * np.pi * 2 * np.arange(100) / 100)  # what no draw explains
    np.testing.assert_allclose(estimate_held(loud), loud, atol=1e-6)


def test_at_an_unknown_phase_aliases_cost_what_theory_says():
    np.testing.assert_allclose(hold_bound(phase=CIRCLE), 9 * [POWER / 4])
    np.testing.assert_array_equal(hold_bound(phase=(1.0, 7.28), cycles=(1, 4)), 0)
    # Of 0 and 10 cycles the knots show A sin(phase) only. The answer, half a constant and half a
    # cosine, misses either cosine by 3/8; 10 cycles have a hidden sine besides, of power 1/2.
    ends = hold_bound(phase=CIRCLE, cycles=(0, 10))[[0, 10]]
    np.testing.assert_allclose(ends, [POWER / 2 * 3 / 8, POWER / 2 * (3 / 8 + 1 / 2)])


@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.3, 0.3), (np.pi / 2, np.pi / 2), CIRCLE])
def test_the_answer_to_knots_is_the_mean_of_all_draws_with_nearly_those_knots(phase):
    """Four knots: 1, 3 and 5 cycles are aliases, 2 and 4 hide a sine or everything."""
    phases = np.unique(phase) if phase[0] == phase[1] else 2 * np.pi * np.arange(240) / 240
    angle = 2 * np.pi * np.arange(1, 6)[:, None] * np.arange(12) / 12
    shapes = np.sin(angle[:, None] + phases[:, None])  # [cycles, phases, samples]
    prior = (shapes[:, :, None] * np.linspace(0.2, 1.0, 201)[:, None]).reshape(-1, 12)
    for wave in 0.7 * shapes[:, len(phases) // 7]:
        distance = np.abs(prior[:, ::3] - wave[::3]).max(axis=1)
        expected = prior[distance < 0.03].mean(axis=0)
        changes = {"cycles": (1, 5), "amplitude": (0.2, 1.0), "phase": phase, "hold_length": 3}
        np.testing.assert_allclose(estimate_held(wave, **changes), expected, atol=0.01)


@given(
    hold_length=st.integers(1, 24),
    amplitude=st.sampled_from([(0.2, 1.0), (0.0, 0.5), (0.5, 0.5)]),
    phase=st.sampled_from([(0.0, 0.0), (0.3, 0.3), (np.pi / 2, np.pi / 2), CIRCLE]),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_bound_is_the_measured_error_of_the_posterior_mean(hold_length, amplitude, phase):
    """At every cycle count; where there are fewer than three knots it is a bound, not the least."""
    signal = {"n_samples": 24, "cycles": (0, 12), "amplitude": amplitude, "phase": phase}
    clean, cycles = draw(np.random.default_rng(3), 4096, **signal)
    held = clean[:, np.arange(24) // hold_length * hold_length]
    description = signal | {"hold_length": hold_length}
    estimate = baselines.posterior_mean(held[..., None].astype(np.float32), **description)[..., 0]
    for output, theory in ((held, limits.hold_error), (estimate, limits.hold_bound)):
        errors = np.mean((output - clean) ** 2, axis=1)
        for count, expected in enumerate(theory(**description)):
            error = errors[cycles == count]
            tolerance = 4 * error.std() / np.sqrt(len(error)) + 1e-8  # 80 dB below full scale
            if theory == limits.hold_bound and hold_length >= 12:
                assert expected <= error.mean() + tolerance
            else:
                assert error.mean() == pytest.approx(expected, abs=tolerance)


def test_no_answer_is_louder_than_what_is_drawn():
    """Of two knots a sine of two cycles would explain those of three, if it were louder."""
    changes = {"cycles": (2, 3), "amplitude": (1.0, 1.0), "phase": CIRCLE, "hold_length": 70}
    wave = np.sin(2 * np.pi * 3 * np.arange(100) / 100 + 1)
    np.testing.assert_allclose(estimate_held(wave, **changes), wave, atol=1e-5)


def test_between_a_known_phase_and_none_an_oracle_tells_it():
    partial, known = (0.2, 1.4), np.linspace(0.2, 1.4, 200)
    for theory in (limits.hold_error, limits.hold_bound):
        expected = np.mean([theory(**HELD | {"phase": (p, p)}) for p in known], axis=0)
        np.testing.assert_allclose(theory(**HELD | {"phase": partial}), expected, atol=1e-3)
    assert noise_bound(phase=partial) == noise_bound(phase=(0, 0)) < 0.51 * noise_bound()


@pytest.mark.parametrize("cycles", [(0, 9), (9, 32)])
def test_the_noise_bound_needs_two_amplitudes(cycles):
    """At the ends of the band there is one."""
    with pytest.raises(ValueError, match="^cycles must [^\n]*32, got "):
        noise_bound(n_samples=64, cycles=cycles)
