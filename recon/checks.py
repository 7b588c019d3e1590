"""Checks of a description, which is what a pipeline takes, and of what would be silently wrong."""

import numpy as np


def check_signal(n_samples, cycles, amplitude, phase):
    """The same numbers, if they describe sinusoids; a number for a range is a constant.

    >>> check_signal(100, cycles=(1, 60), amplitude=1, phase=0)
    Traceback (most recent call last):
    ValueError: cycles must lie within [0, 50], smallest first, got (1, 60)
    """
    if n_samples < 1 or n_samples % 1:
        raise ValueError(f"n_samples must be a whole number of at least 1, got {n_samples}")
    cycles = _range("cycles", cycles, 0, n_samples // 2, whole=True)
    amplitude, phase = _range("amplitude", amplitude, 0), _range("phase", phase, -np.inf)
    if phase[1] - phase[0] > 6.29:
        raise ValueError(f"phase must span one turn, 2 pi, at most, got {phase}")
    return int(n_samples), cycles, amplitude, phase


def check_noise(stddev, impulse_rate, impulse_amplitude):
    """The same numbers, if they describe hiss and impulses."""
    size, largest = _range("impulse_amplitude", impulse_amplitude, 0)
    if size < largest:
        raise ValueError(f"impulse_amplitude must be one number, got {impulse_amplitude}")
    return _range("stddev", stddev, 0), _range("impulse_rate", impulse_rate, 0, 1), size


def check_hold(hold_length, *, several=False):
    """The same hold length; where `several` are possible, a range of them."""
    first, last = _range("hold_length", hold_length, 1, whole=True)
    if first < last and not several:
        raise ValueError(f"hold_length must be one number, got {hold_length}")
    return (first, last) if several else first


def check_shapes(**arrays):
    """Raise a ValueError unless all arrays have one shape: NumPy would broadcast them.

    >>> check_shapes(reference=np.zeros(3), estimate=np.zeros(2))
    Traceback (most recent call last):
    ValueError: reference, estimate must have one shape, got [(3,), (2,)]
    """
    shapes = [np.shape(array) for array in arrays.values()]
    if len(set(shapes)) > 1:
        raise ValueError(f"{', '.join(arrays)} must have one shape, got {shapes}")


def check_samples(samples):
    """Samples as float32; a ValueError if there are more channels than samples, as if swapped."""
    samples = np.asarray(samples, np.float32)
    n_samples, channels = (*samples.shape, 1, 1)[:2]
    if samples.ndim not in (1, 2) or 0 < n_samples < channels:
        rule = "samples must be [n_samples] or [n_samples, channels]"
        raise ValueError(f"{rule}, got {list(samples.shape)}")
    return samples


def _range(name, bounds, low, high=np.inf, whole=False):
    first, last = np.broadcast_to(bounds, 2).tolist()
    if not (low <= first <= last <= high and np.isfinite(last - first)):
        rule = f"{name} must lie within [{low:g}, {high:g}], smallest first"
        raise ValueError(f"{rule}, got {bounds}")
    if whole and (first % 1 or last % 1):
        raise ValueError(f"{name} must be whole, got {bounds}")
    return (int(first), int(last)) if whole else (first, last)
