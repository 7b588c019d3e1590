"""Bad input, said in one line: the argument, the rule, the value that came."""

from numbers import Real

import numpy as np

LONGEST = 300  # signs of a value that came, in a message
HIGHEST, MOST = 1e30, 2**31 - 2  # what float32 and int32 hold, with room to compute


def require(holds, rule, got):
    """Raise the one line that says a rule and the value that came, unless the rule holds.

    >>> require(False, "hold_length must be even", 3)
    Traceback (most recent call last):
    ValueError: hold_length must be even, got 3
    """
    if not holds:
        found = " ".join(str(got).split())
        raise ValueError(
            f"{rule}, got {found if len(found) <= LONGEST else found[:LONGEST] + '...'}"
        )


def number(name, value, *, low=-HIGHEST, high=None, whole=False):
    """A number that obeys its rule, NumPy's included.

    Args:
        name: of the argument, for the message.
        value: what came.
        low, high: what it may not leave; by default, what float32 or int32 hold.
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
    rule = f"{name} must be {kind}{_within(low, high)}"
    require(_usable(value, low, high, whole), rule, repr(value))
    return int(value) if whole else float(value)


def pair(name, bounds, *, low=-HIGHEST, high=None, whole=False):
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
    ordered = np.iterable(bounds) and not isinstance(bounds, dict | set | bytes | str)
    ends = list(bounds) if ordered else []
    usable = len(ends) == 2 and all(_usable(end, low, high, whole) for end in ends)
    rule = f"{name} must be {kind} (smallest, largest){_within(low, high)}"
    require(usable and ends[0] <= ends[1], rule, repr(bounds))
    return tuple(int(end) if whole else float(end) for end in ends)


def samples(name, signal, dtype=np.float64, *, empty=True):
    """A signal as a real, finite array of `dtype`; the time axis may be `empty`.

    Raises:
        ValueError: if it is none: text, complex, without an axis, not finite in that type.
    """
    try:
        array = np.asarray(signal)
    except (ValueError, RuntimeError):  # a ragged list, or what does not want to be an array
        array = np.array(None)
    hidden = np.ma.is_masked(signal)  # no number at some places
    usable = array.ndim and array.dtype.kind in "iuf" and 0 not in array.shape[empty:]
    rule = "real numbers with a time axis" if empty else "a real array with samples"
    require(usable, f"{name} must be {rule}", f"{array.dtype} {array.shape}")
    require(not hidden, f"{name} must have no masked values", "some")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        place = np.argwhere(~np.isfinite(cast))[0].tolist()
        raise ValueError(f"{name} must be finite, got {array[tuple(place)]} at {place}")
    return cast


def _usable(value, low, high, whole):
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if not isinstance(value, Real):
        return False
    high = (MOST if high is None else high) if whole else min(HIGHEST, high or HIGHEST)
    return value == value and low <= value <= high and (not whole or value == int(value))


def _within(low, high):
    if high is not None:
        return f" within [{low:g}, {high:g}]"
    return f" of at least {low:g}" if low > -HIGHEST else ""
