"""Whatever SIGNAL and DAMAGE describe, data, predicted error, bound and estimator agree on it."""

import re
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recon import baselines, datasets, limits

COUNT = datasets.BLOCK  # waveforms measured
FEW = settings(max_examples=9, deadline=None, derandomize=True, phases=[Phase.generate])
TASKS = {
    "noise": (datasets.noise_reduction, limits.noise_error, limits.noise_bound),
    "hold": (datasets.inverse_quantization, limits.hold_error, limits.hold_bound),
}


def ranges(low, high):
    """Ranges within [low, high]; some are a constant, a pair or one number."""
    ends = st.floats(low, high).map(lambda x: round(x, 3))
    return ends | ends.map(lambda x: (x, x)) | st.tuples(ends, ends).map(sorted).map(tuple)


@st.composite
def signals(draw, *, inside=0, quietest=0.1, widths=(0, 2, 2 * np.pi)):
    """A SIGNAL with cycle counts `inside` the ends of the band and phases of some widths."""
    n_samples = draw(st.integers(16, 300))
    counts = st.integers(inside, (n_samples - inside) // 2)
    start, width = draw(st.floats(-3, 3)), draw(st.sampled_from(widths))
    return {
        "n_samples": n_samples,
        "cycles": tuple(sorted(draw(st.tuples(counts, counts)))),
        "amplitude": draw(ranges(quietest, 3)),
        "phase": (start, start + width),
    }


def compared(task, estimator, **description):
    """The estimator's error, the bound and a tolerance: five standard errors and float32's.

    The input's error has to be the predicted one, and the estimator may not beat the bound.
    """
    build, *theories = TASKS[task]
    predicted, bound = (np.mean(theory(**description)) for theory in theories)
    corrupted, clean = datasets.take(build(COUNT, seed=1, **description), COUNT)
    assert clean.shape == (COUNT, description["n_samples"], 1)
    estimates = corrupted, estimator(corrupted, **description)
    errors = [np.mean((x - clean) ** 2, axis=(1, 2), dtype=float) for x in estimates]
    rounding = 1e-6 * limits.mean_square(description["amplitude"])
    tolerances = 5 * np.std(errors, axis=1) / np.sqrt(COUNT) + rounding
    assert errors[0].mean() == pytest.approx(predicted, abs=tolerances[0])
    assert 0 <= bound <= errors[1].mean() + tolerances[1]
    return errors[1].mean(), bound, tolerances[1]


@pytest.mark.slow
@given(signals(inside=1), ranges(0, 0.5), ranges(0.01, 0.3), st.floats(0, 3))
@FEW
def test_noise_has_the_predicted_error_and_bound(signal, stddev, rate, size):
    noise = {"stddev": stddev, "impulse_rate": rate, "impulse_amplitude": size}
    compared("noise", baselines.expectation_maximisation, **signal, **noise)


@pytest.mark.slow
@given(
    signals(inside=1, quietest=0.5, widths=(0, 2 * np.pi)), ranges(0.01, 0.03), ranges(0.01, 0.02)
)
@FEW
def test_the_bound_of_plain_noise_is_reached(signal, stddev, rate):
    """The cycle count is plain here, and so is every impulse."""
    noise = {"stddev": stddev, "impulse_rate": rate, "impulse_amplitude": 20 * np.max(stddev)}
    estimator = baselines.expectation_maximisation
    error, bound, tolerance = compared("noise", estimator, **signal, **noise)
    assert error <= 10**0.05 * bound + tolerance


@pytest.mark.slow
@given(signals(), st.floats(0, 1))
@FEW
def test_a_hold_has_the_predicted_error_and_bound(signal, share):
    """Where the phase is a range an oracle tells it: then the bound is not the least error."""
    hold_length = 1 + int(share * signal["n_samples"] / 4)
    estimator = baselines.posterior_mean
    error, bound, tolerance = compared("hold", estimator, **signal, hold_length=hold_length)
    if not 1 < np.ptp(signal["phase"]) < 3:
        assert error == pytest.approx(bound, abs=tolerance)


SIGNAL = {"n_samples": 60, "cycles": (1, 9), "amplitude": (0.1, 1.0), "phase": (0.0, 2 * np.pi)}
DAMAGE = {
    "noise": {"stddev": (0.1, 0.2), "impulse_rate": (0.1, 0.2), "impulse_amplitude": 0.5},
    "hold": {"hold_length": 5},  # 12 knots: most cycle counts have an alias
}
UNMOVED = {  # the oracle of the noise bound tells cycle counts and impulses
    "noise": ["", "n_samples cycles amplitude phase", "cycles impulse_rate impulse_amplitude"],
    "hold": ["", "", ""],
}


def changes(task):
    """(name, value) of every number of a description, one a little other than it was."""
    for name, value in (SIGNAL | DAMAGE[task]).items():
        if isinstance(value, tuple):
            step = 1 if name == "cycles" else 0.05
            yield name, (value[0] + step, value[1])
            yield name, (value[0], value[1] - step)
        else:
            yield name, value + 1


@cache
def consequences(task, **change):
    """The first batch, the input's error and the bound."""
    build, *theories = TASKS[task]
    description = SIGNAL | DAMAGE[task] | change
    corrupted, _ = next(iter(build(64, seed=1, **description)))
    return np.ravel(corrupted)[:60], *(np.mean(theory(**description)) for theory in theories)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name", "value"), [(task, *change) for task in TASKS for change in changes(task)]
)
def test_every_number_of_the_description_counts(task, name, value):
    pairs = zip(consequences(task), consequences(task, **{name: value}), strict=True)
    for (before, after), unmoved in zip(pairs, UNMOVED[task], strict=True):
        assert np.allclose(before, after, rtol=1e-9, atol=0) == (name in unmoved.split())


WRONG = {
    "n_samples": [0, 2.5],
    "cycles": [(9, 1), (1, 31), (-1, 9), (1.5, 9), (1, 9.5)],
    "amplitude": [(1.0, 0.1), (-0.1, 1.0), (0.1, np.inf)],
    "phase": [(1.0, 0.0), (0.0, 7.0), (np.nan, 1.0)],
    "stddev": [(0.2, 0.1), (-0.1, 0.2), (0.1, np.nan)],
    "impulse_rate": [(0.2, 0.1), (-0.1, 0.2), (0.1, 1.1)],
    "impulse_amplitude": [-0.5, np.nan],
    "hold_length": [0, 2.5, np.nan],
}


@pytest.mark.parametrize(
    ("task", "name", "value"),
    [
        (task, name, value)
        for task in TASKS
        for name in SIGNAL | DAMAGE[task]
        for value in WRONG[name]
    ],
)
def test_a_number_outside_its_range_is_named(task, name, value):
    description = SIGNAL | DAMAGE[task] | {name: value}
    build, _, bound = TASKS[task]
    for function in (partial(build, batch_size=4, seed=1), bound):
        with pytest.raises(ValueError, match=rf"^{name} must [^\n]*, got {re.escape(str(value))}$"):
            function(**description)
