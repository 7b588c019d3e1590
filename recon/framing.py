"""Long signals through a network, chunk by chunk, with exactly the whole signal's result.

A network of convolutions reads a bounded stretch of its input for each output sample. Each chunk
is run together with that stretch, starting at a multiple of the network's stride, and the
stretch's own output is thrown away. What remains equals the whole-signal result, so frames join
without a break by construction. Shown in section 9 of the notebooks.
"""

from numbers import Integral

import numpy as np


def restore(model, signal, *, chunk_length):
    """Run a long signal through a model in chunks; equal to the whole signal at once.

    Args:
        model: maps [1, n_samples, 1] to the same shape and declares its `receptive_field` (left,
            right, stride) on one of its layers, as every builder of `models` does.
        signal: float array [n_samples], any length, 0 included.
        chunk_length: samples restored at a time, at least 1; memory grows with it, not with the
            signal.

    Returns:
        float32 array [n_samples].

    Raises:
        ValueError: if the model declares no receptive field, the signal is not one channel of
            finite numbers, or chunk_length is not a whole number of at least 1.
    """
    left, right, stride = receptive_field(model)
    signal = np.asarray(signal)
    if signal.ndim != 1 or signal.dtype.kind not in "iuf" or not np.isfinite(signal).all():
        raise ValueError(
            f"signal must be finite real samples [n_samples], got {signal.dtype} {signal.shape}"
        )
    if not isinstance(chunk_length, Integral) or chunk_length < 1:
        raise ValueError(f"chunk_length must be a whole number of at least 1, got {chunk_length!r}")
    estimate = np.empty(len(signal), np.float32)
    reach = -(-left // stride) * stride  # left context, rounded up to the stride
    window = reach + stride - 1 + chunk_length + right
    for start in range(0, len(signal), chunk_length):
        stop = min(start + chunk_length, len(signal))
        first = max(0, start // stride * stride - reach)
        restored = _apply(model, signal[first : first + window])
        estimate[start:stop] = restored[start - first : stop - first]
    return estimate


def receptive_field(model):
    """(left, right, stride) in samples: output n depends on inputs n - left to n + right.

    Chunks must start at multiples of the stride. Raises a ValueError for a model that declares
    none: it cannot promise that chunks join.
    """
    for layer in getattr(model, "layers", []):
        if hasattr(layer, "receptive_field"):
            return layer.receptive_field
    name = getattr(model, "name", model)
    raise ValueError(f"model must declare a receptive field, got {name!r}, which has none")


def frame_by_frame(model, signal, *, frame_length):
    """Each frame restored alone and laid end to end: what breaks at every seam.

    Arguments and result as in `restore`, but `model` may be any callable.
    """
    frames = range(0, len(signal), frame_length)
    parts = [_apply(model, signal[start : start + frame_length]) for start in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def overlap_add(model, signal, *, frame_length):
    """Frames at half their length apart, cross-faded by a periodic Hann window.

    Continuous, because the window falls to zero at every frame's ends, but not exact: two answers
    that disagree are blended. Arguments and result as in `restore`, but `model` may be any
    callable and `frame_length` is even.

    Source: Griffin and Lim, "Signal Estimation from Modified Short-Time Fourier Transform", 1984.
    """
    hop_length = frame_length // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame_length) / frame_length)
    padded = np.pad(np.asarray(signal, np.float32), (hop_length, frame_length + hop_length))
    total = np.zeros(len(padded), np.float32)
    for start in range(0, len(padded) - frame_length + 1, hop_length):
        frame = slice(start, start + frame_length)
        total[frame] += window * _apply(model, padded[frame])
    return total[hop_length : hop_length + len(signal)]


def _apply(model, samples):
    """The model's estimate of one channel, [n_samples] to [n_samples]."""
    return np.asarray(model(np.asarray(samples, np.float32)[None, :, None]))[0, :, 0]
