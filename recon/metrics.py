"""How close an estimate is to its reference, in NumPy: the judge shares no code with the judged.

Every metric takes (reference, estimate) of equal shape, [n_samples] or [batch, n_samples, ...], and
answers one float64 per waveform; `gain_db` answers one for all. Sample n is compared with sample n:
alignment is the caller's. Shapes that differ are a ValueError.
"""

import numpy as np

from recon import checks


def _waveforms(**signals):
    """The arguments as float64 [batch, samples]."""
    checks.check_shapes(**signals)
    arrays = [np.asarray(signal, np.float64) for signal in signals.values()]
    return [array.reshape(len(array) if array.ndim > 1 else 1, -1) for array in arrays]


def _one_or_many(values, like):
    return values if np.ndim(like) > 1 else float(values[0])


def _ratio_db(signal, error):
    """10 log10(sum signal^2 / sum error^2); +inf without error, else -inf without signal."""
    power, wrong = (np.sum(x**2, axis=1) for x in (signal, error))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(wrong == 0, np.inf, 10 * np.log10(power / wrong))


def mse(reference, estimate):
    """Mean squared error, mean((reference - estimate)^2); 0 for a perfect estimate.

    >>> mse([0, 2], [0, 0])
    2.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    return _one_or_many(np.mean((a - b) ** 2, axis=1), reference)


def snr_db(reference, estimate):
    """Signal-to-noise ratio, 10 log10(sum reference^2 / sum (reference - estimate)^2), dB.

    +inf for a perfect estimate, of silence too; -inf for any other estimate of silence.

    >>> snr_db([3.0, 4.0], [3.0, 3.5])
    20.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    return _one_or_many(_ratio_db(a, a - b), reference)


def si_sdr_db(reference, estimate):
    """Scale-invariant signal-to-distortion ratio, dB; the mean is not removed.

    10 log10(|t|^2 / |t - estimate|^2) with the target t = reference <estimate, reference> /
    |reference|^2 (Le Roux et al., "SDR: half-baked or well done?", 2019, equation 4). -inf where
    one of the two is silent, +inf where both are.

    >>> si_sdr_db([1.0, 0.0], [5.0, 0.5])
    20.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    power = np.sum(a**2, axis=1, keepdims=True)
    target = a * np.sum(a * b, axis=1, keepdims=True) / np.where(power == 0, 1, power)
    lost = a.any(axis=1) & ~b.any(axis=1)
    return _one_or_many(np.where(lost, -np.inf, _ratio_db(target, target - b)), reference)


def log_spectral_distance(reference, estimate, *, band=(0.0, 1.0), frame_length=256):
    """How far two power spectra lie apart, in powers of ten (Kuleshov, Enam and Ermon, 2017).

    The mean over frames of the root mean square over bins of log10((|R|^2 + e) / (|E|^2 + e)).
    Frames of `frame_length` samples, a quarter of that apart, under a periodic Hann window; e is
    1e-8 of a full-scale constant's power. It hears no phase: read it beside the SNR, never alone.

    Args:
        reference, estimate: as in every metric, of one channel.
        band: share of the spectrum that counts, from 0 to 1, the Nyquist frequency.
        frame_length: samples, even; a shorter waveform is one frame, padded with zeros.

    >>> time = np.arange(1000)
    >>> round(log_spectral_distance(np.sin(time**2), np.sin(time**2) / 10), 1)
    2.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame_length) / frame_length)
    logs = []
    for signal in (a, b):
        padded = np.pad(signal, ((0, 0), (0, max(0, frame_length - signal.shape[1]))))
        frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length, axis=1)
        spectrum = np.abs(np.fft.rfft(window * frames[:, :: frame_length // 4], axis=-1)) ** 2
        logs.append(np.log10(spectrum / window.sum() ** 2 + 1e-8))  # [batch, frames, bins]
    share = np.arange(frame_length // 2 + 1) / (frame_length // 2)
    counted = (logs[0] - logs[1])[..., (band[0] <= share) & (share <= band[1])]
    return _one_or_many(np.mean(np.sqrt(np.mean(counted**2, axis=-1)), axis=-1), reference)


def gain_db(reference, corrupted, estimate):
    """How far a method lowers the error of a whole set: 10 log10(mean error before / after), dB.

    +inf for a perfect estimate, 0 if nothing was wrong before or after.

    >>> gain_db([[0.0, 0.0]], [[1.0, 1.0]], [[0.1, 0.1]])
    20.0
    """
    a, b, c = _waveforms(reference=reference, corrupted=corrupted, estimate=estimate)
    before, after = (a - b).reshape(1, -1), (a - c).reshape(1, -1)
    return float(_ratio_db(before, after)[0]) if before.any() or after.any() else 0.0
