"""What can be done without learning. Each baseline has a model's call shape.

Denoisers take a noisy signal [batch, n_samples, 1] and return an estimate of that shape;
interpolators take a signal held for `hold_length` samples and return one too. Time runs along
axis 1. `denoisers` and `interpolators` name them all for a results table. Section 4 of the
notebooks shows them.
"""

from functools import partial

import numpy as np
from scipy import interpolate, ndimage, signal

MARGIN = 16  # knots added at either end, so that no interpolator has to extrapolate


def untouched(corrupted):
    """The input as it came: what doing nothing scores."""
    return np.asarray(corrupted)


def median(noisy, *, kernel_size=3):
    """Median of `kernel_size` samples (odd); 1 changes nothing. Ends are mirrored."""
    return ndimage.median_filter(noisy, size=(1, kernel_size, 1), mode="reflect")


def moving_average(noisy, *, kernel_size=3):
    """Mean of `kernel_size` samples; 1 changes nothing. Ends are mirrored."""
    return ndimage.uniform_filter1d(noisy, kernel_size, axis=1, mode="reflect")


def savitzky_golay(noisy, *, window_length=7, polyorder=3):
    """Least-squares polynomial of `polyorder` over `window_length` samples, read at its centre.

    Source: Savitzky and Golay, "Smoothing and Differentiation of Data by Simplified Least Squares
    Procedures", 1964.
    """
    return signal.savgol_filter(noisy, window_length, polyorder, axis=1, mode="interp")


def wiener(noisy, *, kernel_size=5):
    """Adaptive Wiener filter: local mean plus a gain that the local variance decides.

    Source: Lim, "Two-Dimensional Signal and Image Processing", 1990, equation 9.44. The noise
    power is the mean local variance of the waveform.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # constant waveforms have no variance
        rows = [signal.wiener(row[:, 0].astype(np.float64), kernel_size) for row in noisy]
    filtered = np.stack(rows)[..., None].astype(noisy.dtype)
    return np.where(np.isfinite(filtered), filtered, noisy)


def largest_bin(noisy):
    """Keep the largest bin of the frame's FFT: least squares for one sinusoid of whole cycles."""
    spectrum = np.fft.rfft(noisy, axis=1)
    spectrum[:, 0] = 0  # a sinusoid has no mean
    magnitude = np.abs(spectrum)
    spectrum[magnitude < magnitude.max(axis=1, keepdims=True)] = 0
    return np.fft.irfft(spectrum, noisy.shape[1], axis=1).astype(noisy.dtype)


WINDOWS = (3, 5, 7, 9, 13, 17)


def denoisers(corrupted, clean):
    """Every denoiser by name, {name: callable}, each with the window that suits these data best.

    Args:
        corrupted, clean: validation waveforms [batch, n_samples, 1]; never the test waveforms.

    Returns:
        dict in which every callable maps [batch, n_samples, 1] to the same shape; the names say
        which window was chosen.
    """
    families = {
        "median of {}": [(median, {"kernel_size": k}) for k in WINDOWS],
        "moving average of {}": [(moving_average, {"kernel_size": k}) for k in WINDOWS],
        "Savitzky-Golay of {}": [(savitzky_golay, {"window_length": k}) for k in WINDOWS[1:]],
        "Wiener of {}": [(wiener, {"kernel_size": k}) for k in WINDOWS],
    }
    chosen = {"untouched input": untouched}
    for name, candidates in families.items():
        tried = [partial(method, **window) for method, window in candidates]
        best = min(tried, key=lambda method: np.mean((method(corrupted) - clean) ** 2))
        chosen[name.format(*best.keywords.values())] = best
    return chosen | {"largest FFT bin": largest_bin}


def _knots(held, hold_length, periodic):
    """The samples that were kept, [batch, knots + 2 MARGIN, 1], continued over both ends."""
    kept = np.asarray(held, np.float64)[:, ::hold_length]
    return np.pad(kept, ((0, 0), (MARGIN, MARGIN), (0, 0)), mode="wrap" if periodic else "edge")


def spline(held, *, hold_length, degree=3, periodic=False):
    """Spline of odd `degree` through the knots: 1 is linear, 3 cubic, 5 quintic.

    Args:
        held: float array [batch, n_samples, 1], constant over each hold.
        hold_length: samples per knot; 1 changes nothing.
        degree: of the polynomial pieces; degree - 1 derivatives are continuous.
        periodic: whether the frame repeats, as whole cycles do; else the end knots are repeated.
    """
    knots = _knots(held, hold_length, periodic)
    positions = hold_length * np.arange(-MARGIN, knots.shape[1] - MARGIN)
    curve = interpolate.make_interp_spline(positions, knots, degree, axis=1)
    return curve(np.arange(held.shape[1])).astype(np.float32)


def polyphase(held, *, hold_length, kernel, taps, periodic=False):
    """Weigh the `taps` knots around each sample by `kernel(distances)`, distances in knots.

    Args:
        held: float array [batch, n_samples, 1], constant over each hold.
        hold_length: samples per knot; 1 changes nothing.
        kernel: maps distances [hold_length, taps] from a sample to its knots to weights.
        taps: even number of knots, half of them on either side.
        periodic: as in `spline`.
    """
    fraction = np.arange(hold_length)[:, None] / hold_length
    weights = kernel(fraction - np.arange(1 - taps // 2, taps // 2 + 1))
    windows = _windows(held, hold_length, taps, periodic)
    filled = (windows @ weights.T).reshape(len(held), -1, 1)  # [batch, knots * hold_length, 1]
    return filled[:, : held.shape[1]].astype(np.float32)


def _windows(held, hold_length, taps, periodic):
    """The `taps` knots around each hold, half of them on either side, [batch, knots, taps]."""
    knots = _knots(held, hold_length, periodic)[:, MARGIN + 1 - taps // 2 :, 0]
    count = -(-held.shape[1] // hold_length)
    return np.lib.stride_tricks.sliding_window_view(knots, taps, axis=1)[:, :count]


def least_squares(recordings, hold_length, *, taps=32):
    """The best linear interpolator of `taps` knots for recordings like these.

    Solves the normal equations of predicting each sample from the knots around its hold. Every
    recording counts alike, whatever its length and loudness.

    Args:
        recordings: iterable of float arrays [n_samples], for training, never for testing.
        hold_length: samples per knot.
        taps: even number of knots, half of them on either side, at most 32.

    Returns:
        Callable that maps held signals [batch, n_samples, 1] to the same shape.

    Source: Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", 1949.
    """
    products = np.zeros((taps, taps)), np.zeros((taps, hold_length))
    for clean in recordings:
        whole = np.asarray(clean, np.float64)[: len(clean) // hold_length * hold_length]
        windows = _windows(whole[None, :, None], hold_length, taps, False)[0]
        weight = 1 / max(np.sum(whole**2), 1e-12)
        for total, other in zip(products, (windows, whole.reshape(-1, hold_length)), strict=True):
            total += weight * windows.T @ other
    ridge = 1e-9 * np.trace(products[0]) * np.eye(taps)
    weights = np.linalg.solve(products[0] + ridge, products[1]).T  # [hold_length, taps]
    return partial(polyphase, hold_length=hold_length, kernel=lambda _: weights, taps=taps)


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


def lagrange(held, *, hold_length, periodic=False):
    """Polynomial of degree 12 through the 13 nearest knots: a proxy for Wadia's.

    Wadia described its digital filter as high-order polynomial interpolation but never published
    the coefficients; the 13-point Lagrange polynomial stands in for them.
    """
    return polyphase(
        held, hold_length=hold_length, kernel=_lagrange_weights, taps=14, periodic=periodic
    )


def windowed_sinc(held, *, hold_length, periodic=False):
    """Ideal low-pass of 32 knots under a Kaiser window."""
    return polyphase(
        held, hold_length=hold_length, kernel=_sinc_weights, taps=32, periodic=periodic
    )


def fft(held, *, hold_length, periodic=False):
    """Zero-padded spectrum of the knots: exact for a periodic signal below their Nyquist limit.

    The frame must hold a whole number of holds to be one period; else, and where `periodic` is
    false, the end knots are repeated.
    """
    whole = periodic and held.shape[1] % hold_length == 0
    margin = 0 if whole else MARGIN
    knots = _knots(held, hold_length, whole)
    knots = knots[:, MARGIN - margin : knots.shape[1] - MARGIN + margin]
    filled = signal.resample(knots, knots.shape[1] * hold_length, axis=1)
    start = margin * hold_length
    return filled[:, start : start + held.shape[1]].astype(np.float32)


def interpolators(hold_length, *, periodic=False):
    """Every interpolator by name, {name: callable}, as the tables list them.

    Args:
        hold_length: samples per knot.
        periodic: whether frames repeat without a seam.
    """
    options = {"hold_length": hold_length, "periodic": periodic}
    return {
        "step-hold": untouched,
        "linear": partial(spline, degree=1, **options),
        "cubic spline": partial(spline, degree=3, **options),
        "quintic spline": partial(spline, degree=5, **options),
        "Lagrange, 13 points": partial(lagrange, **options),
        "windowed sinc": partial(windowed_sinc, **options),
        "FFT": partial(fft, **options),
    }
