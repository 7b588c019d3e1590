"""The physical limits: the least error that any estimator can reach, averaged over what is drawn.

Derivations: docs/limits.md; shown in section 4 of both notebooks.
"""

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.stats import binom


def noise_reduction(*, n_samples=256, stddev=(0.01, 0.1), impulse_rate=(0.0, 0.02)):
    """Lower bound on the mean squared error of noise reduction, whatever the method.

    An oracle tells the cycle count, the noise level sigma and which k of the n samples were hit.
    What is left is least squares for two amplitudes from n - k clean samples, and its error
    averaged over the frame is at least 2 sigma^2 / (n - k). Averaged here over uniform sigma and
    uniform impulse rate (k is binomial). Arguments as in `datasets.noise_reduction`.

    Returns:
        float, mean squared error.

    >>> noise_reduction(n_samples=200, stddev=(0.1, 0.1), impulse_rate=(0, 0))
    0.0001
    """
    low, high = stddev
    power = (low**2 + low * high + high**2) / 3  # E[sigma^2]
    nodes, weights = leggauss(16)
    rates = np.mean(impulse_rate) + np.ptp(impulse_rate) / 2 * nodes
    hits = np.arange(n_samples)[:, None]  # all samples hit: nothing to average, and probability 0
    shares = binom.pmf(hits, n_samples, rates) @ weights / 2
    return float(round(power * np.sum(shares * 2 / (n_samples - hits[:, 0])), 15))


def inverse_quantization(
    *, n_samples=100, cycles=(1, 9), amplitude=(0.05, 1.0), phase=0.0, hold_length=10
):
    """Least mean squared error per cycle count when the phase is known: the posterior mean's.

    Waveforms A s_c[n] with the same knots cannot be told apart. The best answer to such a group
    is the mean of its members, weighed by how often they are drawn; a group whose knots are all
    zero tells nothing of A either, so its answer is E[A] times that mean. Arguments as in
    `datasets.inverse_quantization`, with one phase.

    Returns:
        float array [cycle counts], mean squared error for each of cycles[0] to cycles[1]; the
        limit over the whole set is its mean.

    >>> inverse_quantization(n_samples=8, cycles=(1, 2), amplitude=(1, 1), hold_length=2).tolist()
    [0.0, 0.0]
    """
    counts = np.arange(cycles[0], cycles[1] + 1)
    shapes = np.sin(2 * np.pi * counts[:, None] * np.arange(n_samples) / n_samples + phase)
    knots = np.round(shapes[:, ::hold_length], 9)
    mean, variance = np.mean(amplitude), np.ptp(amplitude) ** 2 / 12
    errors = np.empty(len(counts))
    for knot in np.unique(knots, axis=0):
        group = np.all(knots == knot, axis=1)
        answer = shapes[group].mean(axis=0)
        spread = np.mean((shapes[group] - answer) ** 2, axis=1)
        if knot.any():
            errors[group] = (mean**2 + variance) * spread
        else:  # the amplitude is unknown too
            errors[group] = mean**2 * spread + variance * np.mean(shapes[group] ** 2, axis=1)
    return np.round(errors, 15)
