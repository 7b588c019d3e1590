"""How close an estimate is to its reference, in NumPy: the judge shares no code with the judged.

Every metric takes (reference, estimate) of equal shape, [n_samples] for one waveform or
[batch, n_samples, ...] for many, and answers one float64 per waveform. Integers are taken at
face value, never scaled. Time alignment is the caller's: sample n is compared with sample n.
"""

import numpy as np


def _waveforms(**signals):
    """The arguments as float64 [batch, samples]; a ValueError in one line for what cannot be."""
    arrays = {name: np.asarray(signal) for name, signal in signals.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"{' and '.join(shapes)} must have one shape, got {shapes}")
    for name, array in arrays.items():
        if array.ndim == 0 or array.size == 0 or array.dtype.kind not in "iuf":
            raise ValueError(
                f"{name} must be a real array with samples, got {array.dtype} {array.shape}"
            )
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise ValueError(f"{name} must be finite, got {array[tuple(where)]} at {where}")
    rows = next(iter(arrays.values())).shape[0] if arrays[name].ndim > 1 else 1
    return [array.astype(np.float64).reshape(rows, -1) for array in arrays.values()]


def _per_waveform(values, like):
    return values if np.ndim(like) > 1 else float(values[0])


def _ratio_db(signal, error):
    """10 log10(signal / error); no error is +inf, even of silence; no signal, else, is -inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, np.inf, 10 * np.log10(signal / error))


def mse(reference, estimate):
    """Mean squared error, mean((reference - estimate)^2); 0 for a perfect estimate.

    >>> mse([0, 2], [0, 0])
    2.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    return _per_waveform(np.mean((a - b) ** 2, axis=1), reference)


def snr_db(reference, estimate):
    """Signal-to-noise ratio, 10 log10(sum reference^2 / sum (reference - estimate)^2), dB.

    A perfect estimate is +inf, of silence too; any other estimate of silence is -inf.

    >>> snr_db([3.0, 4.0], [3.0, 3.5])
    20.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    return _per_waveform(_ratio_db(np.sum(a**2, 1), np.sum((a - b) ** 2, 1)), reference)


def snr_improvement_db(reference, corrupted, estimate):
    """SNR of the estimate minus SNR of the corrupted signal, dB.

    +inf where only the estimate is perfect, -inf where only the corrupted signal was, 0 where
    both are.

    >>> round(snr_improvement_db([2.0, 0.0], [0.0, 0.0], [1.8, 0.0]), 6)
    20.0
    """
    a, b, c = _waveforms(reference=reference, corrupted=corrupted, estimate=estimate)
    before, after = np.sum((a - b) ** 2, 1), np.sum((a - c) ** 2, 1)
    improvement = np.where((before == 0) & (after == 0), 0.0, _ratio_db(before, after))
    return _per_waveform(improvement, reference)


def si_sdr_db(reference, estimate):
    """Scale-invariant signal-to-distortion ratio, dB; the mean is not removed.

    10 log10(|t|^2 / |t - estimate|^2) with the target t = reference <estimate, reference> /
    |reference|^2 (Le Roux, Wisdom, Erdogan and Hershey, "SDR: half-baked or well done?", 2019,
    equation 4). Where one of the two is silent there is nothing to scale: -inf; where both are,
    +inf.

    >>> si_sdr_db([1.0, 0.0], [5.0, 0.5])
    20.0
    """
    a, b = _waveforms(reference=reference, estimate=estimate)
    power = np.sum(a**2, axis=1, keepdims=True)
    scale = np.sum(a * b, axis=1, keepdims=True) / np.where(power == 0, 1, power)
    target = scale * a
    ratio = _ratio_db(np.sum(target**2, 1), np.sum((target - b) ** 2, 1))
    lost = (power[:, 0] > 0) & ~b.any(axis=1)
    return _per_waveform(np.where(lost, -np.inf, ratio), reference)


def gain_db(reference, corrupted, estimate):
    """How far a method lowers the error of a whole set: 10 log10(mean error before / after), dB.

    The means run over every sample of every waveform, so loud errors weigh as they do in the mean
    squared error. One float; +inf for a perfect estimate, 0 if nothing was wrong before or after.

    >>> gain_db([[0.0, 0.0]], [[1.0, 1.0]], [[0.1, 0.1]])
    20.0
    """
    before, after = np.mean(mse(reference, corrupted)), np.mean(mse(reference, estimate))
    return 0.0 if before == after == 0 else float(_ratio_db(before, after))
