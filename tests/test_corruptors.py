"""One contract for all corruptors, then for each that it changes the signal by the right amount."""

import numpy as np
import pytest
import tensorflow as tf

from recon import corruptors

CORRUPTORS = {
    "gaussian": lambda x, seed: corruptors.add_gaussian_noise(x, 0.1, seed=seed),
    "gaussian per waveform": lambda x, seed: corruptors.add_gaussian_noise(
        x, tf.fill([tf.shape(x)[0]], 0.1), seed=seed
    ),
    "tilted": lambda x, seed: corruptors.add_gaussian_noise(x, 0.1, seed=seed, tilt=-6.0),
    "impulse": lambda x, seed: corruptors.add_impulse_noise(x, 0.5, 0.1, seed=seed),
    "click": lambda x, seed: corruptors.add_impulse_noise(
        x, 0.5, 0.1, seed=seed, impulse_size=(0.05, 1), impulse_length=(1, 9)
    ),
    "hold": lambda x, seed: corruptors.sample_and_hold(x, 3),
    "hold per waveform": lambda x, seed: corruptors.sample_and_hold(
        x, 2 + tf.range(tf.shape(x)[0]) % 3
    ),
}
NEUTRAL = {
    "gaussian": lambda x: corruptors.add_gaussian_noise(x, 0.0, seed=(1, 2)),
    "impulse rate": lambda x: corruptors.add_impulse_noise(x, 0.0, 0.5, seed=(1, 2)),
    "impulse amplitude": lambda x: corruptors.add_impulse_noise(x, 1.0, 0.0, seed=(1, 2)),
    "hold": lambda x: corruptors.sample_and_hold(x, 1),
    "hold per waveform": lambda x: corruptors.sample_and_hold(x, tf.ones([5], tf.int32)),
}
WAVES = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)


@pytest.mark.parametrize("name", CORRUPTORS)
@pytest.mark.parametrize("shape", [(5, 64), (5, 64, 1), (5, 32, 2)])
def test_shape_and_type_stay_and_the_input_is_untouched(name, shape):
    signal = tf.constant(WAVES.reshape(shape))
    corrupted = CORRUPTORS[name](signal, (1, 2))
    assert corrupted.shape == shape
    assert corrupted.dtype == signal.dtype
    np.testing.assert_array_equal(signal.numpy(), WAVES.reshape(shape))
    assert not np.array_equal(corrupted.numpy(), signal.numpy())


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_neutral_argument_is_the_identity(name):
    np.testing.assert_array_equal(NEUTRAL[name](tf.constant(WAVES)).numpy(), WAVES)


@pytest.mark.parametrize("name", ["gaussian", "tilted", "impulse", "click"])
def test_equal_seeds_give_equal_damage_and_other_seeds_other(name):
    first, again, other = (
        CORRUPTORS[name](WAVES, seed).numpy() for seed in ((1, 2), (1, 2), (3, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", CORRUPTORS)
def test_damage_is_the_same_inside_tf_data(name):
    inside = tf.data.Dataset.from_tensors(WAVES).map(lambda x: CORRUPTORS[name](x, (1, 2)))
    eager = CORRUPTORS[name](WAVES, (1, 2)).numpy()
    np.testing.assert_allclose(next(iter(inside)).numpy(), eager, atol=1e-7)


def test_gaussian_noise_has_each_waveforms_own_deviation():
    stddev = tf.constant([0.01, 0.1, 0.5])
    noise = corruptors.add_gaussian_noise(tf.ones([3, 40_000]), stddev, seed=(1, 2)).numpy() - 1
    standard_error = 1 / np.sqrt(2 * 40_000)  # of a standard deviation, relative
    np.testing.assert_allclose(noise.std(axis=1), stddev, rtol=5 * standard_error)
    assert np.all(np.abs(noise.mean(axis=1)) < 5 * stddev / np.sqrt(40_000))
    assert abs(np.corrcoef(noise)[0, 1]) < 5 / np.sqrt(40_000)  # waveforms do not share noise
    lag_one = np.mean(noise[2, 1:] * noise[2, :-1]) / noise[2].var()
    assert abs(lag_one) < 5 / np.sqrt(40_000)  # white


@pytest.mark.parametrize("n_samples", [3, 16, 65])
@pytest.mark.parametrize("tilt", [-60.0, -6.0, 6.0])
def test_tilted_noise_of_any_length_has_the_deviation_that_was_asked_for(n_samples, tilt):
    silence = tf.zeros([20_000, n_samples])
    noise = corruptors.add_gaussian_noise(silence, 0.2, seed=(1, 2), tilt=tilt)
    np.testing.assert_allclose(np.std(noise), 0.2, rtol=0.03)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16, tf.float64])
def test_impulses_are_as_many_and_of_either_sign_in_any_type(dtype):
    silence = tf.zeros([100, 10_000], dtype)
    hits = tf.cast(corruptors.add_impulse_noise(silence, 1e-3, 1.0, seed=(1, 2)), tf.float32)
    for sign in (-1, 1):  # 500 of each, give or take four standard deviations
        assert abs(np.sum(hits == sign) - 500) < 4 * np.sqrt(500)


def test_tilted_noise_has_the_slope_and_the_deviation_that_were_asked_for():
    tilt = tf.constant([-6.0, 0.0, 3.0])
    silence = tf.zeros([3, 2**17])
    noise = corruptors.add_gaussian_noise(silence, 0.2, seed=(1, 2), tilt=tilt).numpy()
    np.testing.assert_allclose(noise.std(axis=1), 0.2, rtol=0.02)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[:, 2**k : 2 ** (k + 1)].mean(axis=1) for k in range(11, 16)]
    slopes = np.diff(10 * np.log10(octaves), axis=0)
    np.testing.assert_allclose(slopes, np.tile(tilt, (4, 1)), atol=0.3)


def test_clicks_start_where_impulses_hit_and_have_their_size_and_length():
    silence = tf.zeros([4, 2**16])
    hits = corruptors.add_impulse_noise(silence, 1e-3, 0.5, seed=(1, 2)).numpy()
    how = {"impulse_size": (0.05, 1), "impulse_length": (1, 16)}
    clicks = corruptors.add_impulse_noise(silence, 1e-3, 0.5, seed=(1, 2), **how).numpy()
    rows, places = np.nonzero(hits)
    alone = np.diff(np.append(places, 2**20)) > 16
    rows, places = rows[alone & (places < 65_000)], places[alone & (places < 65_000)]
    size = clicks[rows, places] / hits[rows, places]
    assert ((size > 0.049) & (size <= 1.0001)).all()
    assert np.log(size).mean() == pytest.approx(np.log(0.05) / 2, abs=0.2)
    shapes = clicks[rows[:, None], places[:, None] + np.arange(17)]
    assert np.abs(shapes[:, 16]).max() < 1e-6
    lengths = 16 - np.argmax(np.abs(shapes[:, 15::-1]) > 1e-6, axis=1)
    assert set(lengths) == set(range(1, 17))
    before = clicks[rows, np.maximum(places - 17, 0)]
    assert np.count_nonzero(before) < 0.1 * len(before)


def test_each_kind_of_damage_is_drawn_as_often_as_its_share():
    silence = tf.zeros([4_000, 8])
    kinds = {(lambda clean, seed, i=i: clean + i): share for i, share in ((1, 3), (2, 1))}
    drawn = corruptors.either(kinds)(silence, tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(drawn, np.tile(drawn[:, :1], (1, 8)))
    assert (drawn[:, 0] == 2).mean() == pytest.approx(0.25, abs=0.03)


def test_impulses_hit_at_each_waveforms_own_rate_with_even_signs():
    rate = np.array([0.0, 0.01, 0.2, 1.0], np.float32)
    count = 40_000
    hits = corruptors.add_impulse_noise(tf.zeros([4, count]), rate, 0.5, seed=(1, 2)).numpy()
    assert set(np.unique(hits)) == {-0.5, 0.0, 0.5}
    measured = np.mean(hits != 0, axis=1)
    assert np.all(np.abs(measured - rate) <= 5 * np.sqrt(rate * (1 - rate) / count))
    upward = np.mean(hits[3] > 0)
    assert abs(upward - 0.5) < 5 * 0.5 / np.sqrt(count)


def test_impulse_gaps_are_geometric_as_in_a_poisson_process_in_discrete_time():
    hits = corruptors.add_impulse_noise(tf.zeros([1, 200_000]), 0.1, 1.0, seed=(1, 2)).numpy()[0]
    gaps = np.diff(np.flatnonzero(hits))
    for length in (1, 2, 5, 10):
        expected = 0.1 * 0.9 ** (length - 1)
        share = np.mean(gaps == length)
        assert abs(share - expected) < 5 * np.sqrt(expected / len(gaps))


@pytest.mark.parametrize("hold_length", [1, 2, 3, 7, 64, 100])
def test_a_hold_repeats_the_last_knot_remainder_included(hold_length):
    held = corruptors.sample_and_hold(WAVES, hold_length).numpy()
    for n in range(64):
        np.testing.assert_array_equal(held[:, n], WAVES[:, n - n % hold_length])


def test_each_waveform_can_have_a_hold_of_its_own():
    lengths = [1, 2, 3, 7, 100]
    held = corruptors.sample_and_hold(WAVES, tf.constant(lengths)).numpy()
    for row, length in enumerate(lengths):
        alone = corruptors.sample_and_hold(WAVES[row : row + 1], length).numpy()
        np.testing.assert_array_equal(held[row], alone[0])


def test_the_error_of_a_hold_is_what_theory_says():
    # mean (x[n] - x[n - k])^2 of a unit sinusoid is 1 - cos(w k), averaged over k = 0 .. 9
    n = np.arange(1_000)
    wave = np.sin(2 * np.pi * 20 * n / 1_000)
    held = corruptors.sample_and_hold(wave[None], 10).numpy()[0]
    expected = np.mean(1 - np.cos(2 * np.pi * 20 / 1_000 * np.arange(10)))
    np.testing.assert_allclose(np.mean((held - wave) ** 2), expected, rtol=1e-9)


@pytest.mark.parametrize("lengths", [2.0, np.int64(2), np.float64(2), np.array(2)])
def test_a_whole_hold_length_may_be_of_any_type(lengths):
    expected = corruptors.sample_and_hold(WAVES, 2).numpy()
    np.testing.assert_array_equal(corruptors.sample_and_hold(WAVES, lengths).numpy(), expected)


@pytest.mark.parametrize("levels", [[0.0, 0.1, 0.2, 0.3, 0.4], np.linspace(0, 0.4, 5)])
def test_levels_per_waveform_may_be_a_list_or_an_array(levels):
    expected = corruptors.add_gaussian_noise(WAVES, tf.constant(levels, tf.float32), seed=(1, 2))
    measured = corruptors.add_gaussian_noise(WAVES, levels, seed=np.arange(1, 3))
    np.testing.assert_array_equal(measured, expected)


def test_drawn_noise_has_a_level_and_a_rate_per_waveform_and_depends_on_the_seed_alone():
    damage = corruptors.noise(stddev=(0.01, 0.1), impulse_rate=(0.0, 0.2), impulse_amplitude=5.0)
    noise = damage(tf.zeros([2_000, 256]), (1, 2)).numpy()
    np.testing.assert_array_equal(noise, damage(tf.zeros([2_000, 256]), (1, 2)))
    hits = np.abs(noise) > 2.5
    levels = np.sqrt(np.sum(noise**2 * ~hits, axis=1) / np.sum(~hits, axis=1))
    rates = hits.mean(axis=1)
    np.testing.assert_allclose(
        np.quantile(levels, [0.1, 0.5, 0.9]), [0.019, 0.055, 0.091], atol=0.005
    )
    np.testing.assert_allclose(np.quantile(rates, [0.1, 0.5, 0.9]), [0.02, 0.1, 0.18], atol=0.015)
    assert abs(np.corrcoef(levels, rates)[0, 1]) < 5 / np.sqrt(2_000)


def test_logarithmic_noise_levels_cover_each_decade_alike():
    quiet = {"impulse_rate": (0, 0), "impulse_amplitude": 0}
    damage = corruptors.noise(stddev=(0.001, 0.1), logarithmic=True, **quiet)
    levels = damage(tf.zeros([4_000, 256]), (1, 2)).numpy().std(axis=1)
    assert abs(np.mean(levels < 0.01) - 0.5) < 5 * 0.5 / np.sqrt(4_000)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("stddev", lambda: corruptors.add_gaussian_noise(WAVES, -0.1, seed=(1, 2))),
        ("stddev", lambda: corruptors.add_gaussian_noise(WAVES, float("nan"), seed=(1, 2))),
        ("stddev", lambda: corruptors.add_gaussian_noise(WAVES, [0, 0, 0, 0, -1], seed=(1, 2))),
        ("impulse_rate", lambda: corruptors.add_impulse_noise(WAVES, 1.5, 0.5, seed=(1, 2))),
        ("impulse_amplitude", lambda: corruptors.add_impulse_noise(WAVES, 0.5, -1.0, seed=(1, 2))),
        ("hold_length", lambda: corruptors.sample_and_hold(WAVES, 0)),
        ("hold_length", lambda: corruptors.sample_and_hold(WAVES, [1, 2, 0, 3, 4])),
        ("hold_length", lambda: corruptors.sample_and_hold(WAVES, 2.5)),
        ("hold_length", lambda: corruptors.sample_and_hold(WAVES, "two")),
    ],
)
def test_wrong_arguments_are_named(name, call):
    with pytest.raises(ValueError, match=f"^{name} must "):
        call()


@pytest.mark.parametrize("shares", [{}, {"a": -1}, {"a": 0, "b": 1}, {"a": np.nan}, {"a": "b"}])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="^shares must be "):
        corruptors.either(shares)
