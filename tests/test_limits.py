import numpy as np
import pytest

from recon import baselines, limits

CIRCLE = (0.0, 2 * np.pi)
WAVES = {"n_samples": 256, "cycles": (1, 32), "amplitude": (0.05, 1.0), "phase": CIRCLE}
NOISE = {"stddev": (0.01, 0.1), "impulse_rate": (0.0, 0.02), "impulse_amplitude": 0.5}
HELD = {"n_samples": 100, "cycles": (1, 9), "amplitude": (0.05, 1.0), "phase": (0.0, 0.0)}
HELD["hold_length"] = 10


def noise_bound(**changed):
    return limits.noise_bound(**WAVES | NOISE | changed)


def estimate_noise(corrupted, **changed):
    ranges = WAVES | NOISE | {"n_samples": corrupted.shape[1]} | changed
    return baselines.expectation_maximisation(corrupted, **ranges)


def hold_bound(**changed):
    return limits.hold_bound(**HELD | changed)


def estimate_held(held, **changed):
    return baselines.posterior_mean(held, **HELD | {"n_samples": held.shape[1]} | changed)


def draw(random, count, n_samples, cycles, amplitude, phase):
    """Clean waveforms [count, n_samples] and their cycle counts, from the formula."""
    counts = random.integers(cycles[0], cycles[1] + 1, count)
    sizes, phases = random.uniform(*amplitude, count), random.uniform(*phase, count)
    angle = 2 * np.pi * counts[:, None] * np.arange(n_samples) / n_samples
    return sizes[:, None] * np.sin(angle + phases[:, None]), counts


@pytest.mark.parametrize("amplitude", [(0.05, 1.0), (0.0, 1.0), (0.6, 1.0), (0.3, 0.3)])
def test_the_noise_bound_is_the_mean_over_a_grid_of_prior_and_observation(amplitude):
    # Without Bessel functions or Tweedie's formula: posterior means E[z | y] by summing over the
    # prior, and the error E|z|^2 - E|E[z | y]|^2. By symmetry y may lie on the real axis.
    noise = 0.1  # standard deviation of each of the two amplitudes observed
    nodes, weights = np.polynomial.legendre.leggauss(60)
    size = np.mean(amplitude) + np.ptp(amplitude) / 2 * nodes
    angle = 2 * np.pi * np.arange(300) / 300
    prior = size[:, None] * np.exp(1j * angle)
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
    levels = 0.01 + 0.09 * (np.arange(100) + 0.5) / 100
    bounds = [noise_bound(stddev=(level, level)) for level in levels]
    assert noise_bound() == pytest.approx(np.mean(bounds), rel=1e-4)


def test_the_noise_bound_has_the_closed_forms_of_least_squares_known_amplitude_and_no_signal():
    wide = noise_bound(n_samples=50, cycles=(1, 9), amplitude=(1, 1000), stddev=(0.1, 0.4))
    assert wide == pytest.approx(2 * (0.1**2 + 0.1 * 0.4 + 0.4**2) / 3 / 50, rel=1e-3)
    known = noise_bound(n_samples=50, cycles=(1, 9), amplitude=(9, 9), stddev=(0.1, 0.1))
    assert known == pytest.approx(0.1**2 / 50, rel=1e-3)  # only the phase is left to estimate
    drowned = noise_bound(amplitude=(0.5, 1), stddev=(1e4, 1e4))
    assert drowned == pytest.approx((0.5**2 + 0.5 * 1 + 1**2) / 3 / 2, rel=1e-3)  # answer: silence
    assert noise_bound(stddev=(0, 0)) == 0


def test_the_noise_bound_scales_with_the_square_of_the_signal_and_the_inverse_of_the_length():
    bound = noise_bound()
    louder = noise_bound(amplitude=(0.5, 10.0), stddev=(0.1, 1.0))
    assert louder == pytest.approx(100 * bound)
    longer = noise_bound(n_samples=1024, stddev=(0.02, 0.2))
    assert longer == pytest.approx(bound)


@pytest.mark.slow
def test_without_an_oracle_the_noise_bound_is_reached_within_a_twentieth_of_a_decibel():
    random = np.random.default_rng(0)
    clean, cycles = draw(random, 4096, 256, (1, 32), (0.05, 1.0), CIRCLE)
    stddev, rate = random.uniform(0.01, 0.1, (4096, 1)), random.uniform(0, 0.02, (4096, 1))
    noisy = clean + stddev * random.normal(size=clean.shape)
    hits = (random.random(clean.shape) < rate) * random.choice([-0.5, 0.5], clean.shape)
    estimate = estimate_noise((noisy + hits)[..., None])[..., 0]
    # Least squares with the oracle's help has the mean error 2 E[sigma^2] / 256: how far it is off
    # on these waveforms is the luck of the draw, which the estimate shares. One bin, no impulses.
    oracle = np.fft.irfft(np.fft.rfft(noisy) * (np.arange(129) == cycles[:, None]), 256)
    luck = np.mean((oracle - clean) ** 2) / (2 * 0.0037 / 256)
    excess = np.mean((estimate - clean) ** 2) / luck / noise_bound()
    assert 0 < 10 * np.log10(excess) < 0.05


def test_where_hits_hide_in_the_noise_the_estimate_has_the_error_that_fisher_information_allows():
    random = np.random.default_rng(5)
    clean, cycles = draw(random, 2048, 256, (1, 4), (0.2, 1.0), CIRCLE)
    noisy = clean + 0.12 * random.normal(size=clean.shape)
    hits = (random.random(clean.shape) < 0.05) * random.choice([-0.5, 0.5], clean.shape)
    ranges = {"cycles": (1, 4), "amplitude": (0.2, 1.0), "stddev": (0, 0.2)}
    corrupted = (noisy + hits)[..., None]
    estimate = estimate_noise(corrupted, impulse_rate=(0, 0.5), **ranges)[..., 0]
    oracle = np.fft.irfft(np.fft.rfft(noisy) * (np.arange(129) == cycles[:, None]), 256)
    x = np.linspace(-1.5, 1.5, 4001)
    parts = {0.0: 0.95, 0.5: 0.025, -0.5: 0.025}  # the noise's density, up to a factor
    bells = {j: share * np.exp(-((x - j) ** 2) / (2 * 0.12**2)) for j, share in parts.items()}
    density, slope = sum(bells.values()), sum((j - x) / 0.12 * bells[j] for j in parts)
    loss = np.trapezoid(density, x) / np.trapezoid(slope**2 / density, x)  # 1 / (sigma^2 J)
    errors, best = (np.mean((wave - clean) ** 2, axis=1) for wave in (estimate, oracle))
    tolerance = 3 * np.std(errors - loss * best) / best.mean() / np.sqrt(len(best))
    assert loss > 1.1
    assert errors.mean() / best.mean() == pytest.approx(loss, abs=tolerance)


def test_without_impulses_the_estimate_is_the_posterior_mean_over_cycles_amplitude_and_phase():
    random = np.random.default_rng(1)
    clean, _ = draw(random, 20, 32, (1, 5), (0.2, 1.0), CIRCLE)
    noisy = clean + 0.9 * random.normal(size=clean.shape)  # the cycle count is in doubt
    sizes = 0.2 + 0.8 * (np.arange(40) + 0.5) / 40
    angle = 2 * np.pi * np.arange(1, 6)[:, None] * np.arange(32) / 32
    phases = 2 * np.pi * np.arange(60) / 60
    prior = np.sin(angle[:, None, None] + phases[:, None, None]) * sizes[:, None]
    prior = prior.reshape(-1, 32)
    logs = -((noisy[:, None] - prior) ** 2).sum(axis=2) / (2 * 0.9**2)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    expected = weights @ prior / weights.sum(axis=1, keepdims=True)
    known = {"stddev": (0.9, 0.9), "impulse_rate": (0, 0), "cycles": (1, 5)}
    estimate = estimate_noise(noisy[..., None], amplitude=(0.2, 1.0), **known)
    np.testing.assert_allclose(estimate[..., 0], expected, atol=1e-3)


def test_without_noise_the_estimate_takes_every_impulse_away():
    random = np.random.default_rng(2)
    clean, _ = draw(random, 50, 64, (1, 31), (0.1, 2.0), CIRCLE)
    hits = (random.random(clean.shape) < 0.1) * random.choice([-0.8, 0.8], clean.shape)
    corrupted = (clean + hits)[..., None].astype(np.float32)
    before = corrupted.copy()
    ranges = {"cycles": (1, 31), "amplitude": (0.1, 2.0), "stddev": (0, 0.1)}
    estimate = estimate_noise(corrupted, impulse_rate=(0, 0.2), impulse_amplitude=0.8, **ranges)
    assert estimate.dtype == np.float32
    assert estimate.shape == corrupted.shape
    np.testing.assert_array_equal(corrupted, before)
    np.testing.assert_allclose(estimate[..., 0], clean, atol=1e-4)


@pytest.mark.parametrize("name", ["amplitude", "stddev"])
@pytest.mark.parametrize("wrong", [(1, 0.05), (-0.1, 0.1), (np.nan, 1)])
def test_a_range_of_the_noise_limit_that_is_none_is_refused(name, wrong):
    with pytest.raises(ValueError, match=rf"^{name} "):
        noise_bound(**{name: wrong})


@pytest.mark.parametrize("cycles", [(0, 9), (9, 32), (9, 8)])
def test_cycle_counts_with_fewer_than_two_amplitudes_are_refused(cycles):
    with pytest.raises(ValueError, match="^cycles "):
        estimate_noise(np.zeros((1, 64, 1)), cycles=cycles)


def test_at_the_defaults_all_that_time_quantization_loses_is_the_amplitude_at_five_cycles():
    errors = hold_bound()
    assert np.flatnonzero(errors).tolist() == [4]  # 5 cycles
    assert errors[4] == pytest.approx(0.95**2 / 12 / 2)


def test_at_an_unknown_phase_every_alias_costs_a_quarter_of_the_mean_square_amplitude():
    power = (0.05**2 + 0.05 * 1 + 1**2) / 3  # E[A^2]
    np.testing.assert_allclose(hold_bound(phase=CIRCLE), 9 * [power / 4])
    below = hold_bound(phase=(1.0, 1.0 + 2 * np.pi), cycles=(1, 4))
    np.testing.assert_array_equal(below, 0)
    # Of 0 and 10 cycles the knots show A sin(phase) only. The answer, half a constant and half a
    # cosine, misses either cosine by 3/8; 10 cycles have a hidden sine besides, of power 1/2.
    ends = hold_bound(phase=CIRCLE, cycles=(0, 10))[[0, 10]]
    np.testing.assert_allclose(ends, [power / 2 * 3 / 8, power / 2 * (3 / 8 + 1 / 2)])


@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.3, 0.3), (np.pi / 2, np.pi / 2), CIRCLE])
def test_the_answer_to_knots_is_the_mean_of_all_draws_with_nearly_those_knots(phase):
    # Four knots: 1, 3 and 5 cycles are aliases, 2 and 4 hide a sine or everything.
    cycles, amplitude, n = np.arange(1, 6), np.linspace(0.2, 1.0, 201), np.arange(12)
    phases = np.unique(phase) if phase[0] == phase[1] else 2 * np.pi * np.arange(240) / 240
    angle = 2 * np.pi * cycles[:, None] * n / 12
    shapes = np.sin(angle[:, None] + phases[:, None])  # [cycles, phases, samples]
    prior = (shapes[:, :, None] * amplitude[:, None]).reshape(-1, 12)
    for count in cycles:
        wave = 0.7 * np.sin(2 * np.pi * count * n / 12 + phases[len(phases) // 7])
        distance = np.abs(prior[:, ::3] - wave[::3]).max(axis=1)
        expected = prior[distance < 0.03].mean(axis=0)
        held = np.repeat(wave[::3], 3)[None, :, None].astype(np.float32)
        ranges = {"cycles": (1, 5), "amplitude": (0.2, 1.0), "phase": phase, "hold_length": 3}
        estimate = estimate_held(held, **ranges)
        assert estimate.dtype == np.float32
        assert estimate.shape == held.shape
        np.testing.assert_allclose(estimate[0, :, 0], expected, atol=0.01)


SMALL = {"n_samples": 24, "cycles": (0, 12), "amplitude": (0.2, 1.0), "hold_length": 4}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"phase": CIRCLE},
        *({**SMALL, "phase": phase} for phase in [(0.0, 0.0), (0.3, 0.3), CIRCLE]),
        {**SMALL, "phase": CIRCLE, "hold_length": 8},  # three knots
        {**SMALL, "phase": (np.pi / 2, np.pi / 2)},
        {**SMALL, "phase": (0.0, 0.0), "amplitude": (0.0, 0.5)},
        {**SMALL, "phase": CIRCLE, "amplitude": (0.5, 0.5), "hold_length": 3},
        {**SMALL, "phase": CIRCLE, "hold_length": 1},
        *(
            {**SMALL, "phase": phase, "hold_length": 5}
            for phase in [(0.0, 0.0), (0.3, 0.3), CIRCLE]
        ),
        {**SMALL, "phase": CIRCLE, "hold_length": 7},  # a last hold of three samples
        {**SMALL, "phase": (0.3, 0.3), "cycles": (1, 2), "hold_length": (3, 5)},
        {**SMALL, "phase": CIRCLE, "cycles": (1, 2), "hold_length": (3, 5)},
    ],
)
def test_the_held_limit_is_the_measured_error_of_the_posterior_mean(settings):
    chosen = HELD | settings
    ranges = [chosen[name] for name in ("n_samples", "cycles", "amplitude", "phase")]
    random, n = np.random.default_rng(3), np.arange(chosen["n_samples"])
    clean, cycles = draw(random, 8192, *ranges)
    first, last = np.broadcast_to(chosen["hold_length"], 2)
    lengths = random.integers(first, last + 1, (8192, 1))
    held = np.take_along_axis(clean, n // lengths * lengths, axis=1)
    estimate = baselines.posterior_mean(held[..., None].astype(np.float32), **chosen)[..., 0]
    for found, limit in ((held, limits.hold_error), (estimate, limits.hold_bound)):
        errors = np.mean((found - clean) ** 2, axis=1)
        for count, expected in enumerate(limit(**chosen), start=chosen["cycles"][0]):
            error = errors[cycles == count]
            tolerance = 4 * error.std() / np.sqrt(len(error)) + 1e-8  # 80 dB below full scale
            assert error.mean() == pytest.approx(expected, abs=tolerance), count


def test_with_two_knots_the_held_limit_is_still_a_limit():
    """The sines of two cycle counts share their knots here, up to the sign; the cosines do not."""
    signal = {"n_samples": 100, "cycles": (2, 3), "amplitude": (1.0, 1.0), "phase": CIRCLE}
    bound = limits.hold_bound(**signal, hold_length=70)
    n, phases = np.arange(100), np.random.default_rng(0).uniform(*CIRCLE, (200, 1))
    for cycles, least in zip((2, 3), bound, strict=True):
        wave = np.sin(2 * np.pi * cycles * n / 100 + phases)
        held = wave[:, n // 70 * 70, None]
        estimate = baselines.posterior_mean(held, **signal, hold_length=70)[..., 0]
        error = np.mean((estimate - wave) ** 2)  # of an amplitude beyond the range no wave is drawn
        assert least - 1e-12 <= error < 1e-9


@pytest.mark.parametrize("phase", [(0.0, 100.0), (1.0, 9.0), (-50.0, 7.0)])
def test_phases_of_many_turns_are_averaged_over(phase):
    signal = {"n_samples": 24, "cycles": (12, 12), "amplitude": (1.0, 1.0), "phase": phase}
    n, phases = np.arange(24), np.linspace(*phase, 100_001)[:, None]
    waves = np.sin(np.pi * n + phases)
    expected = np.mean((waves - waves[:, n // 2 * 2]) ** 2)
    np.testing.assert_allclose(limits.hold_error(**signal, hold_length=2), expected, rtol=1e-3)


@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e12])
def test_a_limit_goes_with_the_square_of_the_amplitude(size):
    usual = {"n_samples": 24, "cycles": (1, 5), "phase": (0.0, 0.0), "hold_length": 4}
    one, other = (limits.hold_bound(**usual, amplitude=(0.2 * x, x)) for x in (1, size))
    np.testing.assert_allclose(other, size**2 * one, rtol=1e-9)


def test_in_noise_beyond_all_bounds_silence_is_the_answer():
    signal = {"n_samples": 64, "cycles": (1, 9), "amplitude": (0.0, 1e-3), "phase": CIRCLE}
    noise = {"stddev": (1e6, 1e6), "impulse_rate": (0, 0), "impulse_amplitude": 0}
    assert limits.noise_bound(**signal, **noise) == pytest.approx(1e-6 / 6)


def test_between_a_known_phase_and_none_an_oracle_tells_it():
    partial, known = (0.2, 1.4), np.linspace(0.2, 1.4, 200)
    for limit in (limits.hold_error, limits.hold_bound):
        expected = np.mean([limit(**HELD | {"phase": (p, p)}) for p in known], axis=0)
        np.testing.assert_allclose(limit(**HELD | {"phase": partial}), expected, atol=1e-3)
    assert noise_bound(phase=partial) == noise_bound(phase=(0, 0)) < 0.51 * noise_bound()


@pytest.mark.parametrize("width", [6.28, 6.2832, 4 * np.pi, 6 * np.pi])
def test_whole_turns_of_the_phase_are_a_circle(width):
    for low in (0.0, -np.pi):
        phase = (low, low + width)
        assert noise_bound(phase=phase) == noise_bound()
        np.testing.assert_allclose(hold_bound(phase=phase), hold_bound(phase=CIRCLE), rtol=1e-9)
    assert not limits.is_circle((0, 6.2))
    assert not limits.is_circle((0, 0))


def test_a_known_phase_leaves_one_amplitude_to_estimate():
    small = {"n_samples": 50, "cycles": (1, 9), "phase": (0.3, 0.3), "stddev": (0.1, 0.1)}
    assert noise_bound(**small, amplitude=(1, 1000)) == pytest.approx(0.1**2 / 50, rel=1e-3)
    assert noise_bound(**small, amplitude=(9, 9)) == pytest.approx(0, abs=1e-12)
    drowned = noise_bound(**small | {"amplitude": (0.5, 1), "stddev": (1e4, 1e4)})
    assert drowned == pytest.approx(0.5**2 / 12 / 2, rel=1e-3)  # the answer is the mean amplitude


def test_a_mean_square_is_that_of_a_uniform_number():
    numbers = -1 + 3 * (np.arange(1000) + 0.5) / 1000
    assert limits.mean_square((-1, 2)) == pytest.approx(np.mean(numbers**2), rel=1e-5)
    assert limits.mean_square([3, 3]) == 9


def test_the_error_of_untouched_noise_is_that_of_hiss_and_hits():
    expected = (0.01**2 + 0.01 * 0.1 + 0.1**2) / 3 + 0.01 * 0.5**2
    assert limits.noise_error(**WAVES, **NOISE) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["amplitude", "phase", "stddev"])
def test_a_number_is_no_range(name):
    with pytest.raises(ValueError, match=f"^{name} "):
        noise_bound(**{name: 0.5})


def test_at_the_defaults_the_posterior_mean_restores_above_nyquist_and_averages_at_five_cycles():
    for count in range(1, 10):
        wave = 0.3 * np.sin(2 * np.pi * count * np.arange(100) / 100)
        held = np.repeat(wave[::10], 10)[None, :, None].astype(np.float32)
        expected = wave * (0.525 / 0.3 if count == 5 else 1)
        error = estimate_held(held)[0, :, 0] - expected
        assert np.sum(error**2) < 1e-8 * np.sum(expected**2), count


def test_knots_that_no_draw_explains_get_the_nearest_fit():
    wave = 1.5 * np.sin(2 * np.pi * 2 * np.arange(100) / 100)
    held = np.repeat(wave[::10], 10)[None, :, None]
    np.testing.assert_allclose(estimate_held(held)[0, :, 0], wave, atol=1e-7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"phase": (1, 0)},
        {"hold_length": 0},
        {"hold_length": 2.5},
        {"hold_length": (3, 2)},
        {"cycles": (1, 60)},
        {"cycles": (9, 1)},
        {"amplitude": (1, 0)},
    ],
)
def test_what_the_held_limit_does_not_cover_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} "):
        hold_bound(**wrong)
    if name != "phase":
        with pytest.raises(ValueError, match=f"^{name} "):
            estimate_held(np.zeros((1, 100, 1)), **wrong)
