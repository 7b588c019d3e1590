"""Bad input, said in one line: the argument, the rule, the value that came.

An argument of one name obeys one rule wherever it is taken: `RULES`. A module that ends in
`checks.guard(__name__)` has its public functions and classes put what comes to these rules.
"""

import inspect
import os
import sys
from contextlib import suppress
from functools import WRAPPER_ASSIGNMENTS, partial, wraps
from numbers import Real

import numpy as np

LONGEST = 300  # signs of a value that came, in a message
HIGHEST, MOST = 1e30, 2**31 - 2  # what float32 and int32 hold, with room to compute
FINITE = f"finite, at most {HIGHEST:g} in size"


def require(holds, rule, got):
    """Raise the one line that says a rule and the value that came, unless the rule holds.

    >>> require(False, "hold_length must be even", 3)
    Traceback (most recent call last):
    ValueError: hold_length must be even, got 3
    """
    if not holds:
        found = " ".join(str(got).split())
        found = found if len(found) <= LONGEST else found[:LONGEST] + "..."
        raise ValueError(f"{rule}, got {found}")


def number(name, value, *, low=-HIGHEST, high=None, whole=False, step=1):
    """A number that obeys its rule, NumPy's included.

    Args:
        name: of the argument, for the message.
        value: what came.
        low, high: what it may not leave; by default, what float32 or int32 hold.
        whole: whether it has to be a whole number.
        step: between the whole numbers from `low` on that it may be.

    Returns:
        int if `whole`, else float.

    Raises:
        ValueError: if it does not.

    >>> number("hold_length", 2.5, low=1, whole=True)
    Traceback (most recent call last):
    ValueError: hold_length must be a whole number of at least 1, got 2.5
    """
    kind = "a whole number" if whole else "a number"
    rule = f"{name} must be {kind}{_within(low, high)}{f' in steps of {step}' if step > 1 else ''}"
    usable = _usable(value, low, high, whole) and (step == 1 or (value - low) % step == 0)
    require(usable, rule, repr(value))
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
    kind, ends = "a pair of whole numbers" if whole else "a pair", listed(bounds)
    usable = len(ends) == 2 and all(_usable(end, low, high, whole) for end in ends)
    rule = f"{name} must be {kind} (smallest, largest){_within(low, high)}"
    require(usable and ends[0] <= ends[1], rule, repr(bounds))
    return tuple(int(end) if whole else float(end) for end in ends)


def alike(**arrays):
    """Nothing, if arrays or lists have one shape."""
    shapes = {
        name: np.shape(array) if hasattr(array, "shape") else (len(listed(array)),)
        for name, array in arrays.items()
    }
    require(len(set(shapes.values())) == 1, f"{' and '.join(shapes)} must have one shape", shapes)


def several(name, values, *, count=None, **rule):
    """A tuple of numbers that obey their rule, `count` of them or at least one."""
    found = listed(values)
    usable = found and len(found) == (count or len(found))
    require(usable, f"{name} must be {count or 'several'} numbers", repr(values))
    return tuple(number(name, value, **rule) for value in found)


def one_or(many, name, value, **rule):
    """A number, or `many`: `pair` or `several`."""
    return (many if iterable(value) else number)(name, value, **rule)


def that(name, value, rule, holds):
    """What came, if it holds of it."""
    require(holds(value), f"{name} must be {rule}", repr(value))
    return value


def texts(name, values, *, count=None):
    """Texts, as a list, `count` of them or any; one may come alone."""
    several = iterable(values) and not isinstance(values, dict | bytes | str)
    found = list(values) if several else [values]
    usable = all(isinstance(one, str) for one in found) and len(found) == (count or len(found))
    rule = f"{count} texts" if count else "text, or several"
    require(usable, f"{name} must be {rule}", repr(values))
    return found


def named(name, values, *, keys=object, empty=False, rule=None):
    """A dict whose keys are of one type, with something in it unless it may be `empty`; what is in
    it is put to a `rule`, if there is one."""
    usable = isinstance(values, dict) and all(isinstance(key, keys) for key in values)
    require(usable and (values or empty), f"{name} must be {{name: value}}", repr(values))
    return {k: rule(f"{name}[{k!r}]", v) if rule else v for k, v in values.items()}


def samples(name, signal, dtype=np.float64, *, empty=True, shape=None, finite=True):
    """A signal as a real, finite array of `dtype`; the time axis may be `empty`.

    Args:
        name: of the argument, for the message.
        signal: what came.
        dtype: of the result; None for that of `signal` if it is float32, else float64.
        empty: whether an axis may be 0 long.
        shape: its axes: numbers, or names for those of any length; None for any shape.
        finite: whether all has to be; what is measured need not.

    Raises:
        ValueError: if it is none: text, complex, of another shape, not finite or beyond 1e30.

    >>> samples("noisy", [1.0, 2.0], shape=("batch", "n_samples", 1))
    Traceback (most recent call last):
    ValueError: noisy must be [batch, n_samples, 1], got (2,)
    """
    try:
        array = np.asarray(signal)
    except Exception:  # a ragged list, or what does not want to be an array
        array = np.array(None)
    if array.dtype.name == "bfloat16":  # which NumPy itself does not have
        array = array.astype(np.float32)
    usable = array.ndim and array.dtype.kind in "iuf" and 0 not in array.shape[empty:]
    rule = "real numbers with a time axis" if empty else "a real array with samples"
    require(usable, f"{name} must be {rule}", f"{array.dtype} {array.shape}")
    require(not np.ma.is_masked(signal), f"{name} must have no masked values", "some")
    if shape is not None:
        fits = len(shape) == array.ndim
        fits &= all(isinstance(a, str) or a == b for a, b in zip(shape, array.shape, strict=False))
        require(fits, f"{name} must be [{', '.join(map(str, shape))}]", array.shape)
    with np.errstate(over="ignore"):
        cast = array.astype(dtype or (np.float32 if array.dtype == np.float32 else np.float64))
    if finite and (place := outside(cast)):
        raise ValueError(f"{name} must be {FINITE}, got {array[tuple(place)]} at {place}")
    return cast


def outside(array):
    """The place [axes] of the first number that is not finite or beyond 1e30; None if none is."""
    if array.min(initial=0) >= -HIGHEST and array.max(initial=0) <= HIGHEST:  # not so of NaN
        return None
    return np.argwhere(~(np.abs(array) <= HIGHEST))[0].tolist()


def iterable(values):
    """Whether there is one after another in what came."""
    with suppress(Exception):  # Keras' tensors say by one of their own that they have none
        return iter(values) is not None
    return False


def listed(values):
    """What came, in order, as a list; an empty one if it has none."""
    ordered = iterable(values) and not isinstance(values, dict | set | bytes | str)
    return list(values) if ordered else []


def _usable(value, low, high, whole):
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    high = (MOST if high is None else high) if whole else min(HIGHEST, high or HIGHEST)
    return value == value and low <= value <= high and (not whole or value == int(value))


def _within(low, high):
    if high is not None:
        return f" within [{low:g}, {high:g}]"
    return f" of at least {low:g}" if low > -HIGHEST else ""


FLAG = partial(that, rule="True or False", holds=lambda x: isinstance(x, bool | np.bool_))
FUNCTION = partial(that, rule="a function", holds=callable)
MODEL = partial(that, rule="a model", holds=lambda x: hasattr(x, "predict_on_batch") or callable(x))
TEXT = partial(that, rule="text", holds=lambda x: isinstance(x, str))
NAME = partial(that, rule="text without /", holds=lambda x: isinstance(x, str) and "/" not in x)
PATH = partial(that, rule="a path", holds=lambda x: isinstance(x, str | os.PathLike))
WHOLE = partial(number, low=1, whole=True)
SIZE = partial(WHOLE, high=2**24)  # of what is held in memory
EVEN = partial(WHOLE, low=2, step=2)
LENGTH = partial(WHOLE, high=2**16)  # of what is gone through for every sample
SEVERAL = partial(several, low=1, whole=True)
HOLD_LENGTHS = partial(one_or, pair, low=1, high=2**16, whole=True)
WAVEFORMS = partial(samples, dtype=None, empty=False, shape=("batch", "n_samples", 1))
SIGNAL = partial(samples, dtype=None, empty=False, shape=("n_samples",))
RULES = {
    name: rule
    for names, rule in (
        # numbers
        ("batch_size channels count frame_length n_samples", SIZE),
        ("block_length chunk_length experts factor position rank", WHOLE),
        ("ema_momentum impulse_amplitude limit", partial(number, low=0)),
        ("hold_length kernel_size", LENGTH),
        ("sample_rate target_rate", partial(number, low=1, high=1e9)),
        ("index seed", partial(number, low=-(2**63), high=2**63 - 1, whole=True)),
        ("stages stem steps validations width window", WHOLE),
        # ranges of numbers that are drawn
        ("amplitude stddev", partial(pair, low=0)),
        ("cycles", partial(pair, low=0, whole=True)),
        ("gain impulse_size", partial(pair, low=1e-30)),
        ("impulse_length", partial(pair, low=1, high=2**16, whole=True)),
        ("impulse_rate", partial(pair, low=0, high=1)),
        ("phase", pair),
        ("tilt", partial(pair, low=-60, high=60)),
        # arrays
        ("clean corrupted estimate held noisy", WAVEFORMS),
        ("signal", partial(samples, dtype=np.float32)),
        ("x y", partial(samples, dtype=None, shape=("count",))),
        # things by name
        ("batches", partial(named, rule=WAVEFORMS)),
        ("columns", partial(named, rule=partial(texts, count=2))),
        ("levels", partial(named, empty=True, rule=partial(number, low=0))),
        ("marks", partial(named, empty=True, rule=number)),
        ("measures", partial(named, rule=FUNCTION)),
        ("methods series signals sounds", named),
        ("panels records scores", partial(named, rule=named)),
        ("recordings", partial(named, keys=str)),
        ("rows", partial(named, rule=partial(number, low=0, whole=True))),
        # others
        ("best_last logarithmic overwrite partial periodic resample tried whole", FLAG),
        ("build damage function kernel method pipeline", FUNCTION),
        ("blocks chunks stream", partial(that, rule="several arrays", holds=iterable)),
        ("dilations factors frame_lengths kernel_sizes", SEVERAL),
        ("label purpose subtype xlabel ylabel", TEXT),
        ("model", MODEL),
        ("name", NAME),
        ("test", texts),
    )
    for name in names.split()
}


def checked(**others):
    """Have a function put its arguments to their rules, and take what these make of them.

    What is given as the parameter's own default is not looked at.

    Args:
        others: rules of arguments that differ from `RULES`, callables of (name, value); None for
            no rule.

    >>> @checked(share=partial(number, low=0, high=1))
    ... def mixed(share=None):
    ...     return share
    >>> mixed(2)
    Traceback (most recent call last):
    ValueError: share must be a number within [0, 1], got 2
    """

    def decorate(function):
        signature = inspect.signature(function)
        rules = {name: rule for name, rule in (RULES | others).items() if rule}

        @wraps(function, (*WRAPPER_ASSIGNMENTS, "__kwdefaults__"))
        def call(*args, **kwargs):
            given = signature.bind(*args, **kwargs)
            for name, value in given.arguments.items():
                if name in rules and value is not signature.parameters[name].default:
                    given.arguments[name] = rules[name](name, value)
            return function(*given.args, **given.kwargs)

        call.__signature__ = signature  # Keras, which keeps what a layer was made of, asks for it
        call.checked = True
        return call

    return decorate


def guard(module, **others):
    """Have every public function of a module `checked`, and the `__init__` of every public class,
    if they are not yet; `others`, as in `checked`, are the module's own rules."""
    module = sys.modules[module]
    for name, value in list(vars(module).items()):
        own = getattr(value, "__module__", "") == module.__name__ and value.__name__ == name
        if own and name[0] != "_":
            place, name = (value, "__init__") if inspect.isclass(value) else (module, name)
            function = vars(place).get(name)
            if inspect.isfunction(function) and not hasattr(function, "checked"):
                setattr(place, name, checked(**others)(function))
