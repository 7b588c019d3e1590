"""The bounds: the least error that any estimator can reach, averaged over what is drawn.

Every function takes the description that the pipeline takes, `**SIGNAL, **DAMAGE`. Beside each
bound stands an estimator in `baselines` that reaches it, or nearly so. Derivations: docs/limits.md;
shown in section 4 of both notebooks.
"""

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import i0e, i1e

from recon import checks


def mean_square(bounds):
    """E[x^2] of a number that is uniform over bounds, (smallest, largest).

    >>> mean_square((0.0, 3.0))
    3.0
    """
    first, last = np.broadcast_to(bounds, 2)
    return float(first**2 + first * last + last**2) / 3


def is_circle(phase):
    """Whether a range of phases is a full circle; 6.28 is near enough."""
    return abs(phase[1] - phase[0] - 2 * np.pi) < 1e-3 * 2 * np.pi


def noise_error(*, n_samples, cycles, amplitude, phase, stddev, impulse_rate, impulse_amplitude):
    """Mean squared error of the noise experiment's input: E[sigma^2] + E[rate] size^2."""
    stddev, impulse_rate, size = checks.check_noise(stddev, impulse_rate, impulse_amplitude)
    return mean_square(stddev) + sum(impulse_rate) / 2 * size**2


def noise_bound(*, n_samples, cycles, amplitude, phase, stddev, impulse_rate, impulse_amplitude):
    """Lower bound on the mean squared error of noise reduction, whatever the method.

    An oracle tells the cycle count, the noise level sigma and every impulse. Without the impulses
    two amplitudes remain, of sine and cosine, each seen in Gaussian noise of variance
    s^2 = 2 sigma^2 / n_samples. The error of their posterior mean, averaged over uniform sigma, is

        s^2 - pi * integral of rho m(rho) (A(rho) - rho)^2 d rho

    with rho the length observed, m its density in the plane and A(rho) the posterior mean's length.
    Unless the phase is uniform on the full circle, the oracle tells it too.

    Args:
        n_samples, amplitude, phase, stddev: as in `datasets.noise_reduction`.
        cycles: strictly between 0 and n_samples / 2.
        impulse_rate, impulse_amplitude: do not matter, as the oracle tells every impulse.
    """
    n_samples, cycles, amplitude, phase = checks.check_signal(n_samples, cycles, amplitude, phase)
    stddev, *_ = checks.check_noise(stddev, impulse_rate, impulse_amplitude)
    if not 0 < cycles[0] <= cycles[1] < n_samples / 2:  # sine and cosine: two amplitudes
        raise ValueError(f"cycles must lie between 0 and {n_samples / 2:g}, got {cycles}")
    if max(stddev) == 0:
        return 0.0
    (low, high), circle = amplitude, is_circle(phase)
    nodes, weights = leggauss(16)
    s = (np.mean(stddev) + np.ptp(stddev) / 2 * nodes[:, None]) * np.sqrt(2 / n_samples)
    # Pieces: within 8 s of an end of the prior the integrand is a few s wide, between them smooth.
    middle = (low + high) / 2
    ends = [low - 8 * s, np.minimum(low + 8 * s, middle), np.maximum(high - 8 * s, middle)]
    ends = np.concatenate([*ends, high + 8 * s], axis=1).clip(0 if circle else None)
    half, (points, point_weights) = np.diff(ends)[..., None] / 2, leggauss(64)
    rho, s = ends[:, :-1, None] + half * (1 + points), s[..., None]  # [levels, pieces, points]
    length, log_density = amplitude_posterior(rho, s, amplitude, circle)
    measure = rho / (2 * s**2) if circle else 1 / (np.sqrt(8 * np.pi) * s)
    worth = half * point_weights * measure * np.exp(log_density) * (length - rho) ** 2
    least_squares = s[:, 0, 0] ** 2 * (1 if circle else 0.5)
    error = float((least_squares - worth.sum(axis=(1, 2))) @ weights / 2)
    return min(max(0.0, error), mean_square(amplitude) / 2)  # the error of answering with silence


def amplitude_posterior(rho, s, amplitude, circle):
    """Amplitude given a bin observed at rho: its posterior mean, and the log-evidence.

    Uniform amplitude, noise of deviation s per component. With a phase that is uniform on the
    `circle`, rho is the bin's length; else the component at the known phase. The evidence is the
    density of what is observed, times 2 pi s^2 or the root of that.
    """
    low, high = amplitude
    nearest = np.clip(rho, low, high)
    excess = np.abs(rho - nearest) / s
    reach = 8 * s / np.maximum(1, excess / 4)  # where the integrand has fallen to exp(-32)
    start, stop = np.maximum(low - nearest, -reach), np.minimum(high - nearest, reach)
    nodes, weights = leggauss(16)
    offset = (start + stop)[..., None] / 2 + (stop - start)[..., None] / 2 * nodes
    span = (stop - start) / (high - low) if high > low else 1.0
    rho, s, nearest = (np.asarray(x)[..., None] for x in (rho, s, nearest))
    # Relative to the largest value, at `nearest`, or all would vanish far outside the prior.
    likelihood = np.exp(offset / s * (2 * (rho - nearest) - offset) / s / 2) * weights / 2
    values = nearest + offset
    argument = rho * values / s**2
    evidence = np.sum(likelihood * (i0e(argument) if circle else 1), axis=-1)
    length = np.sum(likelihood * (i1e(argument) if circle else 1) * values, axis=-1) / evidence
    return length, np.log(evidence * span) - excess**2 / 2


def hold_error(*, n_samples, cycles, amplitude, phase, hold_length):
    """Mean squared error of time quantization's input, [cycle counts].

    The mean over samples and phases of E[A^2] (sin(w n + phase) - sin(w k + phase))^2, with k the
    knot of sample n.

    >>> signal = {"n_samples": 8, "cycles": (2, 2), "amplitude": (1, 1), "phase": (0, 0)}
    >>> hold_error(**signal, hold_length=2).round(6).tolist()  # 0 1 0 -1 becomes 0
    [0.5]
    """
    n_samples, cycles, amplitude, phase = checks.check_signal(n_samples, cycles, amplitude, phase)
    hold_length = checks.check_hold(hold_length)
    counts, n = np.arange(cycles[0], cycles[1] + 1)[:, None], np.arange(n_samples)
    errors = 0
    for value, weight in _phases(phase):
        waves = np.sin(2 * np.pi * counts * n / n_samples + value)
        errors += weight * np.mean((waves - waves[:, n // hold_length * hold_length]) ** 2, axis=1)
    return mean_square(amplitude) * errors


def hold_bound(*, n_samples, cycles, amplitude, phase, hold_length):
    """Least mean squared error per cycle count, [cycle counts]: that of the posterior mean.

    Waveforms with the same knots cannot be told apart; the best answer to such a group is the mean
    of its members. If all knots are zero, the mean amplitude is the best answer. An oracle tells a
    phase that is not uniform on the full circle: for a range of phases, or fewer than three knots,
    the true least error is larger.

    Args:
        n_samples, cycles, amplitude, phase: as in `datasets.inverse_quantization`.
        hold_length: samples per knot.

    >>> signal = {"n_samples": 8, "cycles": (1, 2), "amplitude": (1, 1), "phase": (0, 0)}
    >>> hold_bound(**signal, hold_length=2).tolist()
    [0.0, 0.0]
    """
    n_samples, cycles, amplitude, phase = checks.check_signal(n_samples, cycles, amplitude, phase)
    hold_length = checks.check_hold(hold_length)
    errors = 0
    for known, weight in [(None, 1.0)] if is_circle(phase) else _phases(phase):
        prior = held_prior(n_samples, cycles, amplitude, hold_length, known)
        errors += weight * _spread_of_groups(*prior, hold_length)
    power = mean_square(amplitude) or 1.0
    return power * np.round(errors / power, 15)  # 0 on paper is 0


def _spread_of_groups(waves, mean, variance, hold_length):
    """The least error per cycle count, from `held_prior`."""
    errors = np.zeros(len(waves))
    knots = waves[:, :, ::hold_length]
    for knot in np.unique(knots, axis=0):
        group = np.all(knots == knot, axis=(1, 2))
        members = waves[group]
        # Sine and cosine are uncorrelated: their errors add.
        spread = np.mean((members - members.mean(axis=0)) ** 2, axis=2)
        hidden = ~knot.any(axis=1)
        unknown = np.where(hidden, np.mean(members**2, axis=2), spread)
        errors[group] += np.sum(mean**2 * spread + variance * unknown, axis=1)
    return errors


def held_prior(n_samples, cycles, amplitude, hold_length, known=None):
    """The waveforms that are drawn, as fixed waves times random weights.

    Args:
        n_samples, cycles, amplitude, hold_length: as in `hold_bound`.
        known: the phase, radians; None for one that is uniform on the circle.

    Returns:
        waves [counts, 1, n_samples] for a known phase, else [counts, 2, n_samples], sine and
        cosine, the sine with the sign that its alias below the Nyquist frequency has; mean and
        variance of each weight.
    """
    low, high = amplitude
    mean, variance = (low + high) / 2, (high - low) ** 2 / 12
    counts = np.arange(cycles[0], cycles[1] + 1)[:, None, None]
    angle = 2 * np.pi * (counts * np.arange(n_samples) % n_samples) / n_samples
    if known is not None:
        return np.round(np.sin(angle + known), 9), mean, variance
    flip = np.where(counts * hold_length % n_samples > n_samples / 2, -1, 1)
    waves = np.concatenate([flip * np.sin(angle), np.cos(angle)], axis=1)
    return np.round(waves, 9), 0.0, (mean**2 + variance) / 2


def _phases(phase):
    """[(phase, weight)] for a mean over a range of phases, by a Gauss-Legendre rule."""
    nodes, weights = leggauss(32 if phase[1] > phase[0] else 1)
    nodes = (phase[0] + phase[1]) / 2 + (phase[1] - phase[0]) / 2 * nodes
    return zip(nodes, weights / 2, strict=True)
