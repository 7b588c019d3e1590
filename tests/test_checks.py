import numpy as np
import pytest

from recon import checks


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.uint8(3), np.array(3)])
def test_a_number_of_any_type_is_an_int_or_a_float(value):
    whole, real = checks.number("x", value, whole=True), checks.number("x", value)
    assert (type(whole), type(real)) == (int, float)
    assert whole == real == 3


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (2.5, {"whole": True}),
        (-1, {"low": 0}),
        (1.1, {"low": 0, "high": 1}),
        (np.nan, {}),
        (np.inf, {}),
        ("3", {}),
        (None, {}),
        (3j, {}),
        ([3], {}),
        (np.ones(1), {}),
    ],
)
def test_what_is_no_such_number_is_said_in_one_line(value, rule):
    with pytest.raises(ValueError, match="^x must ") as error:
        checks.number("x", value, **rule)
    assert str(error.value).endswith(f"got {value!r}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bounds", [(1, 2), [1, 2], np.array([1, 2]), (np.int8(1), 2.0)])
def test_a_range_of_any_type_is_a_tuple_of_ints_or_floats(bounds):
    whole, real = checks.pair("x", bounds, whole=True), checks.pair("x", bounds)
    assert whole == real == (1, 2)
    assert {type(end) for end in whole} == {int}
    assert {type(end) for end in real} == {float}


@pytest.mark.parametrize(
    ("bounds", "rule"),
    [
        ((2, 1), {}),
        ((0.5, 2), {"whole": True}),
        ((-1, 1), {"low": 0}),
        ((0, 2), {"high": 1}),
        ((0, np.nan), {}),
        ((0, np.inf), {}),
        (3, {}),
        ((1,), {}),
        ((1, 2, 3), {}),
        ("ab", {}),
        (None, {}),
        ([[1, 2], [3, 4]], {}),
    ],
)
def test_what_is_no_such_range_is_said_in_one_line(bounds, rule):
    with pytest.raises(ValueError, match="^x must be a pair") as error:
        checks.pair("x", bounds, **rule)
    assert str(error.value).endswith(f"got {bounds!r}")
    assert "\n" not in str(error.value)


def test_the_ends_of_a_rule_obey_it():
    assert checks.number("x", 0, low=0, high=1) == 0
    assert checks.pair("x", (0, 1), low=0, high=1) == (0, 1)
    assert checks.pair("x", (1, 1)) == (1, 1)


def test_samples_are_real_and_finite_in_the_type_that_is_asked_for():
    array = checks.samples("x", [1, 2], np.float32)
    assert array.dtype == np.float32
    assert array.tolist() == [1, 2]
    assert checks.samples("x", np.zeros((0, 2))).shape == (0, 2)
    with pytest.raises(ValueError, match=r"^x .*finite.* at \[1\]$"):
        checks.samples("x", [0, 1e300], np.float32)


@pytest.mark.parametrize("wrong", [1.0, "text", [1j], [np.nan], np.zeros((3, 0)), [None]])
def test_what_is_no_signal_is_said(wrong):
    with pytest.raises(ValueError, match="^x must be "):
        checks.samples("x", wrong)
    with pytest.raises(ValueError, match="^x must be .*samples"):
        checks.samples("x", [], empty=False)


@pytest.mark.parametrize("bounds", [{1: 2, 3: 4}, {1, 2}, b"ab"])
def test_what_has_no_order_is_no_range(bounds):
    with pytest.raises(ValueError, match="^x must be a pair"):
        checks.pair("x", bounds)


def test_values_that_are_masked_are_refused():
    whole = np.ma.masked_array([1.0, 2.0], mask=[False, False])
    assert checks.samples("x", whole).tolist() == [1, 2]
    with pytest.raises(ValueError, match="^x must have no masked values"):
        checks.samples("x", np.ma.masked_array([1.0, 2.0], mask=[False, True]))


def test_what_does_not_want_to_be_an_array_is_refused():
    class Tensor:
        def __array__(self, *_, **__):
            raise RuntimeError("call\ndetach")

    with pytest.raises(ValueError, match="^x must be real numbers"):
        checks.samples("x", Tensor())
