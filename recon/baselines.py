"""What can be done without learning. Each baseline has a model's call shape.

Denoisers map a noisy signal [batch, n_samples, 1], interpolators one that is held for `hold_length`
samples, to an estimate of that shape. Two estimators are given the distributions of the data.
"""

from functools import partial

import numpy as np
from scipy import interpolate, ndimage, signal
from scipy.special import softmax

from recon import checks, limits, metrics

MARGIN = 16  # knots added at either end, so that no interpolator has to extrapolate
STEPS = 6  # of expectation-maximisation: at the defaults the error has settled to five digits
TOLERANCE = 1e-5  # how far float32 may move a sample, times the largest amplitude, with room


def untouched(corrupted):
    """The input as it came: what doing nothing scores."""
    return corrupted


def median(noisy, *, kernel_size=3):
    """Median of `kernel_size` samples (odd); 1 changes nothing. Ends are mirrored."""
    return ndimage.median_filter(noisy, size=(1, kernel_size, 1), mode="reflect")


def moving_average(noisy, *, kernel_size=3):
    """Mean of `kernel_size` samples; 1 changes nothing. Ends are mirrored."""
    return ndimage.uniform_filter1d(noisy, kernel_size, axis=1, mode="reflect")


def savitzky_golay(noisy, *, window_length=7, polyorder=3):
    """Polynomial of `polyorder` fitted to `window_length` samples (Savitzky and Golay, 1964)."""
    return signal.savgol_filter(noisy, window_length, polyorder, axis=1, mode="interp")


def wiener(noisy, *, kernel_size=5):
    """Adaptive Wiener filter: local mean plus a gain that local variance decides (Lim, 1990)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # constant waveforms have no variance
        rows = [signal.wiener(row[:, 0].astype(np.float64), kernel_size) for row in noisy]
    filtered = np.stack(rows)[..., None].astype(noisy.dtype)
    return np.where(np.isfinite(filtered), filtered, noisy)


def largest_bin(noisy):
    """Keep the largest bin of the FFT: least squares for one sinusoid of whole cycles."""
    spectrum = np.fft.rfft(noisy, axis=1)
    spectrum[:, 0] = 0  # a sinusoid has no mean
    magnitude = np.abs(spectrum)
    spectrum[magnitude < magnitude.max(axis=1, keepdims=True)] = 0
    return np.fft.irfft(spectrum, noisy.shape[1], axis=1).astype(noisy.dtype)


def given_bins(noisy, clean):
    """Least squares by an oracle: of the frame's FFT keep the bins that the clean signal is in."""
    magnitude = np.abs(np.fft.rfft(clean, axis=1))
    kept = magnitude > 1e-3 * magnitude.max(axis=1, keepdims=True)
    return np.fft.irfft(kept * np.fft.rfft(noisy, axis=1), noisy.shape[1], axis=1)


def expectation_maximisation(
    corrupted, *, n_samples, cycles, amplitude, phase, stddev, impulse_rate, impulse_amplitude
):
    """Noise reduction given the distributions, by expectation-maximisation (Dempster et al., 1977).

    Given the impulses, every cycle count is weighed by its evidence, and every bin shrunk to its
    posterior mean. Given the sinusoid, each sample's residual tells "no hit", "up" or "down"; the
    expected impulses are subtracted, and noise level and impulse rate follow from the same shares.

    Args:
        corrupted: float array [batch, n_samples, 1].
        n_samples, cycles, amplitude, phase, stddev, impulse_rate, impulse_amplitude: as in
            `limits.noise_bound`; it uses only whether the phase is fixed.
    """
    n_samples, (first, last), amplitude, phase = checks.check_signal(
        n_samples, cycles, amplitude, phase
    )
    stddev, impulse_rate, size = checks.check_noise(stddev, impulse_rate, impulse_amplitude)
    noisy = np.asarray(corrupted, np.float64)[..., 0]
    circle = phase[0] < phase[1]
    powers = np.maximum(stddev, 1e-6 * (amplitude[1] or 1)) ** 2  # never quite 0: it divides
    power = np.full((len(noisy), 1), powers[1])
    rate = np.full_like(power, np.mean(impulse_rate))
    impulses = np.zeros_like(noisy)
    spectrum = np.zeros((len(noisy), n_samples // 2 + 1), np.complex128)
    jumps = size * np.array([0.0, 1.0, -1.0])[:, None, None]
    for _ in range(STEPS):
        bins = np.fft.rfft(noisy - impulses)[:, first : last + 1] * 2 / n_samples
        turn = np.exp(1j * (np.angle(bins) if circle else phase[0] - np.pi / 2))
        rho, s = np.real(bins / turn), np.sqrt(2 * power / n_samples)
        length, evidence = limits.amplitude_posterior(rho, s, amplitude, circle)
        weights = softmax(evidence + (rho / s) ** 2 / 2, axis=1)  # against noise alone in the bin
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
    return estimate[..., None].astype(corrupted.dtype)


WINDOWS = (3, 5, 7, 9, 13, 17)


def denoisers(corrupted, clean):
    """Every denoiser by name, {name: callable}, each with the window that suits these data best:
    validation waveforms, never the test waveforms."""
    fitting = [size for size in WINDOWS if size <= corrupted.shape[1]]
    families = {
        "median of {}": [partial(median, kernel_size=k) for k in fitting],
        "moving average of {}": [partial(moving_average, kernel_size=k) for k in fitting],
        "Savitzky-Golay of {}": [partial(savitzky_golay, window_length=k) for k in fitting[1:]],
        "Wiener of {}": [partial(wiener, kernel_size=k) for k in fitting],
    }
    chosen = {"untouched input": untouched}
    for name, methods in families.items():
        if methods:  # else the frames are shorter than any window
            best = min(methods, key=lambda method: metrics.mse(clean, method(corrupted)).mean())
            chosen[name.format(*best.keywords.values())] = best
    return chosen | {"largest FFT bin": largest_bin}


def _knots(held, hold_length, margin=MARGIN):
    """The samples that were kept, [batch, knots + 2 margin, 1], both ends repeated."""
    kept = held.astype(np.float64)[:, ::hold_length]
    return np.pad(kept, ((0, 0), (margin, margin), (0, 0)), mode="edge")


def spline(held, *, hold_length, degree=3):
    """Spline of odd `degree` through the knots: 1 is linear, 3 cubic, 5 quintic."""
    knots = _knots(held, hold_length)
    positions = hold_length * np.arange(-MARGIN, knots.shape[1] - MARGIN)
    curve = interpolate.make_interp_spline(positions, knots, degree, axis=1)
    return curve(np.arange(held.shape[1])).astype(np.float32)


def polyphase(held, *, hold_length, kernel, taps):
    """Weigh the `taps` knots around each sample by `kernel(distances)`, distances in knots.

    Args:
        held: float array [batch, n_samples, 1], constant over each hold.
        hold_length: samples per knot.
        kernel: maps distances [hold_length, taps] from a sample to its knots to weights.
        taps: even number of knots, half of them on either side.
    """
    fraction = np.arange(hold_length)[:, None] / hold_length
    weights = kernel(fraction - np.arange(1 - taps // 2, taps // 2 + 1))
    windows = _windows(held, hold_length, taps)
    filled = (windows @ weights.T).reshape(len(held), -1, 1)  # [batch, knots * hold_length, 1]
    return filled[:, : held.shape[1]].astype(np.float32)


def _windows(held, hold_length, taps):
    """The `taps` knots around each hold, half of them on either side, [batch, knots, taps]."""
    knots = _knots(held, hold_length)[:, MARGIN + 1 - taps // 2 :, 0]
    count = -(-held.shape[1] // hold_length)
    return np.lib.stride_tricks.sliding_window_view(knots, taps, axis=1)[:, :count]


def best_linear(recordings, hold_length, *, taps=32):
    """The best linear interpolator of `taps` knots for recordings like these (Wiener, 1949).

    Solves the normal equations; every recording counts alike.

    Args:
        recordings: float arrays [n_samples], for training, never for testing.
        hold_length: samples per knot.
        taps: even number of knots, half of them on either side, at most 32.

    Returns:
        Callable that maps held signals [batch, n_samples, 1] to the same shape.
    """
    squares, products = np.zeros((taps, taps)), np.zeros((taps, hold_length))
    for clean in recordings:
        whole = np.asarray(clean, np.float64)[: len(clean) // hold_length * hold_length]
        windows = _windows(whole[None, :, None], hold_length, taps)[0]
        weight = 1 / max(np.sum(whole**2), 1e-12)
        squares += weight * windows.T @ windows
        products += weight * windows.T @ whole.reshape(-1, hold_length)
    ridge = 1e-9 * np.trace(squares) * np.eye(taps)
    weights = np.linalg.solve(squares + ridge, products).T  # [hold_length, taps]
    return partial(polyphase, hold_length=hold_length, kernel=lambda _: weights, taps=taps)


def posterior_mean(held, *, n_samples, cycles, amplitude, phase, hold_length):
    """Time quantization given the distributions: no estimator has a lower mean squared error.

    Fits every cycle count to the knots, at an amplitude within the range, and averages those that
    explain them best, within float32 rounding. With fewer than three knots it may not be the best.

    Args:
        held: float array [batch, n_samples, 1], constant over each hold.
        n_samples, cycles, amplitude, phase, hold_length: as in `limits.hold_bound`. It uses only
            whether the phase is fixed.
    """
    n_samples, cycles, amplitude, phase = checks.check_signal(n_samples, cycles, amplitude, phase)
    hold_length = checks.check_hold(hold_length)
    knots = np.ascontiguousarray(held[:, ::hold_length, 0], np.float64)
    known = phase[0] if phase[0] == phase[1] else None
    waves, mean, _ = limits.held_prior(n_samples, cycles, amplitude, hold_length, known)
    bases = waves[:, :, ::hold_length]  # [counts, sine and cosine, knots]
    weights = np.einsum("bk,ckq->bcq", knots, np.linalg.pinv(bases))
    misfit = np.abs(knots[:, None] - np.einsum("bcq,cqk->bck", weights, bases)).max(axis=2)
    weights += mean * ~bases.any(axis=2)  # what the knots hide, and `pinv` makes 0
    length = weights.sum(axis=2) if waves.shape[1] == 1 else np.linalg.norm(weights, axis=2)
    # Knots of zeros: a hidden sine explains them at every amplitude, other waves at 0 alone. So
    # amplitudes below `low` do not count, but where the sine is hidden from the knots.
    tolerance = TOLERANCE * amplitude[1]
    low, high = max(amplitude[0], 2 * tolerance), amplitude[1]
    misfit += np.maximum(low - length, 0) * bases.any(axis=2).all(axis=1)
    misfit += np.maximum(length - high - tolerance, 0)
    explained = misfit <= misfit.min(axis=1, keepdims=True) + tolerance
    shares = explained / explained.sum(axis=1, keepdims=True)
    estimate = np.einsum("bc,bcq,cqn->bn", shares, weights, waves, optimize=True)
    return estimate[..., None].astype(held.dtype)


def _lagrange_weights(distances):
    """Lagrange basis through the 13 knots nearest to each sample (degree 12), 0 for the 14th."""
    weights = np.zeros_like(distances)
    for row, distance in zip(weights, distances, strict=True):
        nearest = np.argsort(np.abs(distance), kind="stable")[:13]
        points = -distance[nearest]
        for i, knot in enumerate(nearest):
            others = np.delete(points, i)
            row[knot] = np.prod(others / (others - points[i]))
    return weights


def _sinc_weights(distances):
    """Sinc under a Kaiser window (beta 8), normalised to pass a constant unchanged."""
    half = distances.shape[1] / 2
    window = np.i0(8.0 * np.sqrt(np.maximum(0, 1 - (distances / half) ** 2)))
    weights = np.sinc(distances) * window
    return weights / weights.sum(axis=1, keepdims=True)


def lagrange(held, *, hold_length):
    """Polynomial of degree 12 through the 13 nearest knots; Wadia's was never published."""
    return polyphase(held, hold_length=hold_length, kernel=_lagrange_weights, taps=14)


def windowed_sinc(held, *, hold_length):
    """Ideal low-pass of 32 knots under a Kaiser window."""
    return polyphase(held, hold_length=hold_length, kernel=_sinc_weights, taps=32)


def fft(held, *, hold_length, periodic=False):
    """Zero-padded spectrum of the knots: exact for a periodic signal below their Nyquist frequency.

    Args:
        held: float array [batch, n_samples, 1], constant over each hold.
        hold_length: samples per knot.
        periodic: whether the frame is one period of whole holds; else the end knots are repeated.
    """
    margin = 0 if periodic and held.shape[1] % hold_length == 0 else MARGIN
    knots = _knots(held, hold_length, margin)
    filled = signal.resample(knots, knots.shape[1] * hold_length, axis=1)
    start = margin * hold_length
    return filled[:, start : start + held.shape[1]].astype(np.float32)


def interpolators(hold_length):
    """Every interpolator by name, {name: callable}, as the tables list them."""
    methods = {
        "linear": partial(spline, degree=1),
        "cubic spline": spline,
        "quintic spline": partial(spline, degree=5),
        "Lagrange, 13 points": lagrange,
        "windowed sinc": windowed_sinc,
        "FFT": fft,
    }
    held_for = {name: partial(method, hold_length=hold_length) for name, method in methods.items()}
    return {"step-hold": untouched} | held_for
