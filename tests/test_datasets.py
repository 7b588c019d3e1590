"""Pipelines: example i depends on (seed, i) alone; crops are stretches of recordings."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from recon import corruptors, datasets

TONES = {f"{i}": np.sin(0.01 * (i + 1) * np.arange(400 + 100 * i)) for i in range(3)}
CROPS = partial(datasets.crops, n_samples=300, damage=corruptors.hold(1))
PIPELINES = {
    "noise_reduction": (datasets.noise_reduction, 256),
    "inverse_quantization": (datasets.inverse_quantization, 100),
    "crops": (partial(CROPS, TONES, gain=(0.1, 1.0)), 300),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_example_i_depends_on_seed_and_i_alone(name):
    build, n_samples = PIPELINES[name]
    dataset = build(30, seed=5)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == (tf.TensorSpec([30, n_samples, 1], tf.float32),) * 2
    first = datasets.take(dataset, 270)  # more than are drawn at a time
    for a, b in zip(first, datasets.take(build(1, seed=5), 270), strict=True):
        np.testing.assert_array_equal(a, b)
    skipped = datasets.take(dataset.skip(8), 30)
    np.testing.assert_array_equal(skipped[0], first[0][240:])
    waves = np.concatenate([first[1], datasets.take(build(30, seed=6), 270)[1]])
    audible = waves[np.ptp(waves, axis=(1, 2)) > 0]
    assert len(np.unique(audible, axis=0)) == len(audible) > 500


def test_damage_and_signal_are_drawn_independently():
    corrupted, clean = datasets.take(datasets.noise_reduction(256, seed=3), 4_096)
    noise = corrupted - clean
    assert len(np.unique(noise, axis=0)) == 4_096
    error, level = (np.sqrt(np.mean(x**2, axis=(1, 2))) for x in (noise, clean))
    assert abs(np.corrcoef(error, level)[0, 1]) < 5 / np.sqrt(4_096)
    assert abs(np.corrcoef(noise.ravel(), clean.ravel())[0, 1]) < 5 / np.sqrt(noise.size)


def test_sinusoids_take_any_damage():
    signal = {"n_samples": 64, "cycles": (1, 9), "amplitude": (0.5, 1), "phase": (0, 0)}
    doubled = datasets.sinusoids(32, seed=1, damage=lambda clean, seed: 2 * clean, **signal)
    corrupted, clean = next(iter(doubled))
    np.testing.assert_array_equal(corrupted, 2 * clean)
    _, same = next(iter(datasets.noise_reduction(32, seed=1, **signal)))
    np.testing.assert_array_equal(clean, same)


def test_held_signals_are_constant_and_right_at_each_knot():
    held, clean = datasets.take(datasets.inverse_quantization(256, seed=3), 512)
    np.testing.assert_array_equal(held, np.repeat(clean[:, ::10], 10, axis=1))


def test_crops_are_stretches_of_recordings():
    """Every recording is as likely as any, whatever its length and name, and so is every start."""
    corrupted, clean = datasets.take(CROPS(TONES, 64, seed=1), 6_000)
    np.testing.assert_array_equal(corrupted, clean)
    renamed = {f"folder/{name}": x for name, x in TONES.items()}
    np.testing.assert_array_equal(datasets.take(CROPS(renamed, 64, seed=1), 64)[0], clean[:64])
    stretches = {
        (sign * np.float32(x[start : start + 300])).tobytes(): (int(name), start, sign)
        for name, x in TONES.items()
        for start in range(len(x) - 299)
        for sign in (-1, 1)
    }
    drawn = np.array([stretches[crop.tobytes()] for crop in clean])
    assert stats.chisquare(np.bincount(drawn[:, 0])).pvalue > 1e-3
    starts = [drawn[drawn[:, 0] == i, 1] for i in range(3)]
    assert all(stats.chisquare(np.bincount(x, minlength=101)).pvalue > 1e-3 for x in starts)
    assert [x.max() for x in starts] == [100, 200, 300]
    assert stats.binomtest(np.sum(drawn[:, 2] > 0), 6_000).pvalue > 1e-3


def test_silence_follows_a_recording_that_is_shorter_than_a_crop():
    _, clean = next(iter(CROPS({"short": np.ones(5)}, 2, seed=1)))
    np.testing.assert_array_equal(np.abs(clean[0, :, 0]), np.arange(300) < 5)


def test_the_gain_of_a_crop_is_uniform_in_its_logarithm():
    pipeline = CROPS({"ones": np.ones(300)}, 64, seed=1, gain=(0.25, 1.0))
    gains = np.abs(datasets.take(pipeline, 2_048)[1][:, 0, 0])
    assert stats.kstest(np.log2(gains), stats.uniform(-2, 2).cdf).pvalue > 1e-3
