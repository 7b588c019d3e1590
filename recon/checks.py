"""The one check of a description, `SIGNAL` and `DAMAGE`: called where data and bounds are made."""

import numpy as np


def check_signal(n_samples, cycles, amplitude, phase):
    """Raise a ValueError unless these numbers describe sinusoids.

    >>> check_signal(100, cycles=(1, 60), amplitude=(0, 1), phase=(0, 0))
    Traceback (most recent call last):
    ValueError: cycles must be (smallest, largest) within [0, 50], got (1, 60)
    """
    if n_samples < 1 or n_samples % 1:
        raise ValueError(f"n_samples must be a whole number of at least 1, got {n_samples}")
    _check_range("cycles", cycles, 0, n_samples // 2)
    if any(count % 1 for count in cycles):
        raise ValueError(f"cycles must be whole numbers, got {cycles}")
    _check_range("amplitude", amplitude, 0)
    _check_range("phase", phase, -np.inf)
    if phase[1] - phase[0] > 6.29:
        raise ValueError(f"phase must span one turn, 2 pi, at most, got {phase}")


def check_noise(stddev, impulse_rate, impulse_amplitude):
    """Raise a ValueError unless these numbers describe hiss and impulses."""
    _check_range("stddev", stddev, 0)
    _check_range("impulse_rate", impulse_rate, 0, 1)
    _check_range("impulse_amplitude", (impulse_amplitude, impulse_amplitude), 0)


def check_hold(hold_length):
    """Raise a ValueError unless `hold_length` is a whole number of samples, or a range of them."""
    first, last = np.broadcast_to(hold_length, 2)
    if not 1 <= first <= last or first % 1 or last % 1:
        raise ValueError(f"hold_length must be a whole number of at least 1, got {hold_length}")


def check_shapes(**arrays):
    """Raise a ValueError unless all arrays have one shape: NumPy would broadcast them.

    >>> check_shapes(reference=np.zeros(3), estimate=np.zeros(2))
    Traceback (most recent call last):
    ValueError: reference, estimate must have one shape, got [(3,), (2,)]
    """
    shapes = [np.shape(array) for array in arrays.values()]
    if len(set(shapes)) > 1:
        raise ValueError(f"{', '.join(arrays)} must have one shape, got {shapes}")


def _check_range(name, bounds, low, high=np.inf):
    first, last = bounds
    if not (low <= first <= last <= high and np.isfinite(last - first)):
        rule = f"{name} must be (smallest, largest) within [{low:g}, {high:g}]"
        raise ValueError(f"{rule}, got {bounds}")
