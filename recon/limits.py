"""The physical limits: the least error that any estimator can reach, averaged over what is drawn.

Beside each limit stands an estimator that reaches it, or nearly so, which pins it from both sides.
Derivations: docs/limits.md; shown in section 4 of both notebooks.
"""

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import i0e, i1e, softmax

STEPS = 6  # of expectation-maximisation: at the defaults the error has settled to five digits
TOLERANCE = 1e-5  # how far float32 may move a sample, times the largest amplitude, with room


def noise_reduction(*, n_samples=256, amplitude=(0.05, 1.0), stddev=(0.01, 0.1)):
    """Lower bound on the mean squared error of noise reduction, whatever the method.

    An oracle tells the cycle count, the noise level sigma and every impulse. Without the impulses
    two amplitudes remain, of sine and cosine, each seen in Gaussian noise of variance
    s^2 = 2 sigma^2 / n_samples. The error of their posterior mean, averaged over uniform sigma, is

        s^2 - pi * integral of rho m(rho) (A(rho) - rho)^2 d rho

    with rho the length observed, m its density in the plane and A(rho) the posterior mean's length.
    Least squares reaches s^2; the integral is what the prior on the amplitude is worth.

    Args:
        n_samples: frame length, samples; whole cycles strictly between 0 and n_samples / 2.
        amplitude: range of linear amplitudes, uniform; the phase is uniform on the circle.
        stddev: range of standard deviations, linear amplitude, uniform; (0, 0) gives 0.

    Returns:
        float, mean squared error.

    Raises:
        ValueError: if a range is not ordered or holds negative numbers.

    >>> round(noise_reduction(n_samples=200, amplitude=(0, 9), stddev=(0.1, 0.1)), 6)
    0.0001
    """
    _check_range("amplitude", amplitude)
    _check_range("stddev", stddev)
    if max(stddev) == 0:
        return 0.0
    nodes, weights = leggauss(16)
    s = (np.mean(stddev) + np.ptp(stddev) / 2 * nodes[:, None]) * np.sqrt(2 / n_samples)
    # Pieces: within 8 s of an end of the prior the integrand is a few s wide, between them smooth.
    (low, high), middle = amplitude, np.mean(amplitude)
    ends = [low - 8 * s, np.minimum(low + 8 * s, middle), np.maximum(high - 8 * s, middle)]
    ends = np.concatenate([*ends, high + 8 * s], axis=1).clip(0)
    half, (points, point_weights) = np.diff(ends)[..., None] / 2, leggauss(64)
    rho, s = ends[:, :-1, None] + half * (1 + points), s[..., None]  # [levels, pieces, points]
    length, log_density = _amplitude_posterior(rho, s, amplitude)
    worth = half * point_weights * rho * np.exp(log_density) / (2 * s**2) * (length - rho) ** 2
    return float((s[:, 0, 0] ** 2 - worth.sum(axis=(1, 2))) @ weights / 2)


def _amplitude_posterior(rho, s, amplitude):
    """Amplitude given a bin of length rho: its posterior mean's length, and the log-evidence.

    Uniform amplitude, phase uniform on the circle, noise of deviation s per component; all arrays
    broadcast. The evidence is the density of the bin in the plane, times 2 pi s^2.
    """
    low, high = amplitude
    nearest = np.clip(rho, low, high)
    beyond = np.abs(rho - nearest) / s
    reach = 8 * s / np.maximum(1, beyond / 4)  # where the integrand has fallen to exp(-32)
    start, stop = np.maximum(low, nearest - reach), np.minimum(high, nearest + reach)
    nodes, weights = leggauss(16)
    values = (start + stop)[..., None] / 2 + (stop - start)[..., None] / 2 * nodes
    span = (stop - start) / (high - low) if high > low else 1.0
    rho, s = rho[..., None], np.asarray(s)[..., None]
    # Relative to the largest value, at `nearest`, or all would vanish far outside the prior.
    likelihood = np.exp(beyond[..., None] ** 2 / 2 - ((rho - values) / s) ** 2 / 2) * weights / 2
    evidence = np.sum(likelihood * i0e(rho * values / s**2), axis=-1)
    length = np.sum(likelihood * i1e(rho * values / s**2) * values, axis=-1) / evidence
    return length, np.log(evidence * span) - beyond**2 / 2


def estimate_sinusoid(
    corrupted,
    *,
    cycles=(1, 32),
    amplitude=(0.05, 1.0),
    stddev=(0.01, 0.1),
    impulse_rate=(0.0, 0.02),
    impulse_amplitude=0.5,
):
    """Noise reduction without the oracle: what can be achieved, next to `noise_reduction`.

    Expectation-maximisation. Given the impulses, the frame's FFT holds all there is to know of
    the sinusoid: every cycle count is weighed by its evidence, every bin shrunk to its posterior
    mean. Given the sinusoid, so does every sample's residual for "no hit, up, down"; the expected
    impulses are subtracted, and noise level and impulse rate follow from the same shares.

    Args:
        corrupted: float array [batch, n_samples, 1].
        cycles: range of whole cycles per frame, strictly between 0 and n_samples / 2.
        amplitude, stddev, impulse_rate, impulse_amplitude: as in `datasets.noise_reduction`.

    Returns:
        Array like `corrupted`.

    Raises:
        ValueError: if `cycles` leaves its range.

    Source: Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM
    Algorithm", 1977.

    >>> wave = 0.8 * np.sin(2 * np.pi * np.arange(64) / 16)[None, :, None]
    >>> hit = wave + 0.5 * (np.arange(64) == 9)[:, None]
    >>> bool(np.abs(estimate_sinusoid(hit, cycles=(1, 9)) - wave).max() < 1e-3)
    True
    """
    noisy = np.asarray(corrupted)[..., 0].astype(np.float64)
    n_samples, (first, last) = noisy.shape[1], cycles
    if not 0 < first <= last < n_samples / 2:
        rule = f"cycles must be an ordered pair strictly between 0 and {n_samples / 2:g}"
        raise ValueError(f"{rule}, got {cycles!r}")
    powers = np.maximum(stddev, 1e-6) ** 2  # never quite 0: it divides
    power = np.full((len(noisy), 1), powers[1])
    rate = np.full_like(power, np.mean(impulse_rate))
    impulses = np.zeros_like(noisy)
    spectrum = np.zeros((len(noisy), n_samples // 2 + 1), np.complex128)
    jumps = impulse_amplitude * np.array([0.0, 1.0, -1.0])[:, None, None]
    for _ in range(STEPS):
        bins = np.fft.rfft(noisy - impulses)[:, first : last + 1] * 2 / n_samples
        rho, s = np.abs(bins), np.sqrt(2 * power / n_samples)
        length, evidence = _amplitude_posterior(rho, s, amplitude)
        weights = softmax(evidence + (rho / s) ** 2 / 2, axis=1)  # against noise alone in the bin
        turn = np.exp(1j * np.angle(bins))
        spectrum[:, first : last + 1] = weights * length * turn * n_samples / 2
        estimate = np.fft.irfft(spectrum, n_samples)
        squares = (noisy - estimate - jumps) ** 2  # [no hit or up or down, batch, n_samples]
        with np.errstate(divide="ignore"):  # a rate of 0 or 1 is certain
            prior = np.log([1 - rate, rate / 2, rate / 2])
        shares = softmax(prior - squares / (2 * power), axis=0)
        impulses = np.sum(shares * jumps, axis=0)
        power = np.sum(shares * squares, axis=0).mean(axis=1, keepdims=True).clip(*powers)
        hits = n_samples - np.sum(shares[0], axis=1, keepdims=True)
        rate = np.clip((hits + 1) / (n_samples + 2), *impulse_rate)  # uniform prior, then its range
    return estimate[..., None].astype(np.asarray(corrupted).dtype)


def inverse_quantization(
    *, n_samples=100, cycles=(1, 9), amplitude=(0.05, 1.0), phase=(0.0, 0.0), hold_length=10
):
    """Least mean squared error per cycle count: that of the posterior mean, `estimate_held`.

    Waveforms with the same knots cannot be told apart. The best answer to such a group is the mean
    of its members, weighed by how often they are drawn. An amplitude whose knots are all zero is
    unknown too, and its own mean stands in for it.

    Args:
        n_samples: frame length, samples, a multiple of `hold_length`.
        cycles: range of whole cycles per frame, within [0, n_samples / 2], equally likely.
        amplitude: range of linear amplitudes, uniform.
        phase: radians; two equal numbers for a known phase, or a full circle for an unknown one.
        hold_length: samples per knot.

    Returns:
        float array [cycle counts], mean squared error for each of cycles[0] to cycles[1]; the
        limit over the whole set is its mean.

    Raises:
        ValueError: if `phase` is neither, another range leaves its limits, or `n_samples` is not a
            multiple of `hold_length`.

    >>> inverse_quantization(n_samples=8, cycles=(1, 2), amplitude=(1, 1), hold_length=2).tolist()
    [0.0, 0.0]
    """
    waves, mean, variance = _held_prior(n_samples, cycles, amplitude, phase, hold_length)
    errors = np.zeros(len(waves))
    for shapes in np.moveaxis(waves, 1, 0):  # sine and cosine are uncorrelated: their errors add
        knots = shapes[:, ::hold_length]
        for knot in np.unique(knots, axis=0):
            group = np.all(knots == knot, axis=1)
            members = shapes[group]
            spread = np.mean((members - members.mean(axis=0)) ** 2, axis=1)
            if knot.any():
                errors[group] += (mean**2 + variance) * spread
            else:
                errors[group] += mean**2 * spread + variance * np.mean(members**2, axis=1)
    return np.round(errors, 15)


def estimate_held(held, *, cycles=(1, 9), amplitude=(0.05, 1.0), phase=(0.0, 0.0), hold_length=10):
    """Exact posterior mean of inverse quantization: no estimator has a lower mean squared error.

    Fits every cycle count to the knots, at no less than the smallest amplitude, and averages those
    that explain them best, within float32 rounding: waveforms that none explains get the nearest.

    Args:
        held: float array [batch, n_samples, 1], constant over each hold.
        cycles, amplitude, phase, hold_length: as in `inverse_quantization`.

    Returns:
        Array like `held`.

    Raises:
        ValueError: as `inverse_quantization`.

    >>> wave = 0.5 * np.sin(2 * np.pi * 7 * np.arange(100) / 100)  # above the Nyquist limit of 5
    >>> held = np.repeat(wave[::10], 10)[None, :, None]
    >>> np.allclose(estimate_held(held)[0, :, 0], wave)
    True
    """
    held = np.asarray(held)
    waves, mean, _ = _held_prior(held.shape[1], cycles, amplitude, phase, hold_length)
    bases = waves[:, :, ::hold_length]  # [counts, sine and cosine, knots]
    knots = held[:, ::hold_length, 0].astype(np.float64)
    weights = np.einsum("bk,ckq->bcq", knots, np.linalg.pinv(bases))
    misfit = np.abs(knots[:, None] - np.einsum("bcq,cqk->bck", weights, bases)).max(axis=2)
    weights += mean * ~bases.any(axis=2)  # what the knots hide, and `pinv` makes 0
    length = weights.sum(axis=2) if waves.shape[1] == 1 else np.linalg.norm(weights, axis=2)
    # An amplitude of almost 0 has infinitely small odds against a sine whose knots are hidden.
    # Beside a hidden sine a cosine may fall below `low`; its own aliases still fit it best.
    tolerance = TOLERANCE * amplitude[1]
    low = max(amplitude[0], 2 * tolerance)
    misfit += np.maximum(low - length, 0)  # aliases differ in its sign only
    explained = misfit <= misfit.min(axis=1, keepdims=True) + tolerance
    shares = explained / explained.sum(axis=1, keepdims=True)
    estimate = np.einsum("bc,bcq,cqn->bn", shares, weights, waves, optimize=True)
    return estimate[..., None].astype(held.dtype)


def _held_prior(n_samples, cycles, amplitude, phase, hold_length):
    """What is drawn, as weights with a mean and a variance on waves that never change.

    Returns:
        waves [counts, 1, n_samples] for a known phase, [counts, 2, n_samples] (sine and cosine)
        for an unknown one, with knots that are zero on paper exactly zero; mean and variance of
        each weight. Aliases share their knots, and so does the sine once its sign is flipped.
    """
    if hold_length < 1 or n_samples % hold_length:
        rule = f"n_samples must be a multiple of hold_length {hold_length}"
        raise ValueError(f"{rule}, got {n_samples}")
    _check_range("cycles", cycles, n_samples // 2)
    _check_range("amplitude", amplitude)
    low, high = amplitude
    mean, variance = (low + high) / 2, (high - low) ** 2 / 12
    counts = np.arange(cycles[0], cycles[1] + 1)[:, None, None]
    angle = 2 * np.pi * (counts * np.arange(n_samples) % n_samples) / n_samples
    if phase[0] == phase[1]:
        return np.round(np.sin(angle + phase[0]), 9), mean, variance
    if not np.isclose(phase[1] - phase[0], 2 * np.pi):
        raise ValueError(f"phase must be two equal numbers or a full circle, got {phase!r}")
    knots = n_samples // hold_length
    flip = np.where(counts % knots > knots / 2, -1, 1)
    waves = np.concatenate([flip * np.sin(angle), np.cos(angle)], axis=1)
    return np.round(waves, 9), 0.0, (mean**2 + variance) / 2


def _check_range(name, bounds, high=np.inf):
    first, last = bounds
    if not 0 <= first <= last <= high:
        rule = f"{name} must be an ordered pair within [0, {high:g}]"
        raise ValueError(f"{rule}, got {bounds!r}")
