"""Bad input, said in one line: the argument, the rule, the value that came."""

from math import isfinite
from numbers import Real

import numpy as np


def number(name, value, *, low=-np.inf, high=np.inf, whole=False):
    """A number that obeys its rule, NumPy's included.

    Args:
        name: of the argument, for the message.
        value: what came.
        low, high: what it may not leave.
        whole: whether it has to be a whole number.

    Returns:
        int if `whole`, else float.

    Raises:
        ValueError: if it does not.

    >>> number("hold_length", 2.5, low=1, whole=True)
    Traceback (most recent call last):
    ValueError: hold_length must be a whole number of at least 1, got 2.5
    """
    kind = "a whole number" if whole else "a number"
    if not _usable(value, low, high, whole):
        raise ValueError(f"{name} must be {kind}{_within(low, high)}, got {value!r}")
    return int(value) if whole else float(value)


def pair(name, bounds, *, low=-np.inf, high=np.inf, whole=False):
    """A range (smallest, largest) that obeys its rule; two equal numbers are a constant.

    Args:
        name, low, high, whole: as in `number`, for both ends.
        bounds: what came: a tuple, a list, an array of two numbers.

    Returns:
        tuple of two numbers.

    Raises:
        ValueError: if it does not.

    >>> pair("impulse_rate", (0, 2), low=0, high=1)
    Traceback (most recent call last):
    ValueError: impulse_rate must be a pair (smallest, largest) within [0, 1], got (0, 2)
    """
    kind = "a pair of whole numbers" if whole else "a pair"
    ends = list(bounds) if np.iterable(bounds) else []
    usable = len(ends) == 2 and all(_usable(end, low, high, whole) for end in ends)
    if not usable or ends[0] > ends[1]:
        rule = f"{kind} (smallest, largest){_within(low, high)}"
        raise ValueError(f"{name} must be {rule}, got {bounds!r}")
    return tuple(int(end) if whole else float(end) for end in ends)


def samples(name, signal, dtype=np.float64, *, empty=True):
    """A signal as a real, finite array of `dtype`; the time axis may be `empty`.

    Raises:
        ValueError: if it is none: text, complex, without an axis, not finite in that type.
    """
    array = np.asarray(signal)
    if array.ndim == 0 or array.dtype.kind not in "iuf" or 0 in array.shape[empty:]:
        rule = "real numbers with a time axis" if empty else "a real array with samples"
        raise ValueError(f"{name} must be {rule}, got {array.dtype} {array.shape}")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        place = np.argwhere(~np.isfinite(cast))[0].tolist()
        raise ValueError(f"{name} must be finite, got {array[tuple(place)]} at {place}")
    return cast


def _usable(value, low, high, whole):
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    known = isinstance(value, Real) and isfinite(value) and low <= value <= high
    return known and (not whole or value == int(value))


def _within(low, high):
    if np.isfinite(low) and np.isfinite(high):
        return f" within [{low:g}, {high:g}]"
    return f" of at least {low:g}" if np.isfinite(low) else ""
