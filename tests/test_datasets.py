import numpy as np
import pytest
import tensorflow as tf

from recon import datasets

PIPELINES = {
    "noise_reduction": (datasets.noise_reduction, 256),
    "inverse_quantization": (datasets.inverse_quantization, 100),
}
TONES = {f"{i}": np.sin(0.01 * (i + 1) * np.arange(400 + 100 * i)) for i in range(3)}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_batch_is_a_corrupted_and_a_clean_float32_array(name):
    build, n_samples = PIPELINES[name]
    dataset = build(7, seed=1)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    for array in next(iter(dataset)):
        assert array.shape == (7, n_samples, 1)
        assert array.dtype == tf.float32


@pytest.mark.parametrize("name", PIPELINES)
def test_example_i_depends_on_seed_and_i_alone(name):
    build, _ = PIPELINES[name]
    first = datasets.take(build(32, seed=5), 600)
    for again in (build(32, seed=5), build(1, seed=5), build(600, seed=5)):
        for a, b in zip(first, datasets.take(again, 600), strict=True):
            np.testing.assert_array_equal(a, b)
    skipped = datasets.take(build(50, seed=5).skip(4), 100)
    np.testing.assert_array_equal(skipped[0], first[0][200:300])


@pytest.mark.parametrize("name", PIPELINES)
def test_another_seed_and_another_example_are_other_waveforms(name):
    build, _ = PIPELINES[name]
    _, one = datasets.take(build(64, seed=1), 2_000)
    _, two = datasets.take(build(64, seed=2), 2_000)
    both = np.concatenate([one, two])[..., 0]
    audible = both[np.ptp(both, axis=1) > 0]
    assert len(np.unique(audible, axis=0)) == len(audible) >= 3_900


@pytest.mark.parametrize("name", PIPELINES)
def test_no_step_of_the_pipeline_leaves_tensorflow(name):
    build, _ = PIPELINES[name]
    graph = build(8, seed=1)._as_serialized_graph().numpy()
    assert b"Stateless" in graph
    assert b"PyFunc" not in graph


def test_a_range_of_hold_lengths_is_drawn_evenly_one_per_waveform():
    dataset = datasets.inverse_quantization(256, seed=3, n_samples=60, hold_length=(2, 5))
    held, clean = (array[..., 0] for array in datasets.take(dataset, 4_096))
    lengths = np.array([2, 3, 4, 5])
    knots = np.arange(60) // lengths[:, None] * lengths[:, None]
    fits = np.all(held[:, None] == clean[:, knots], axis=2)  # [waveforms, hold lengths]
    sure = fits.sum(axis=1) == 1  # all but 15 and 30 cycles, where knots repeat
    assert sure.mean() > 0.9
    counts = fits[sure].sum(axis=0)
    assert np.abs(counts - sure.sum() / 4).max() < 5 * np.sqrt(sure.sum() * 3 / 16)


def test_the_noise_experiments_input_error_is_what_its_distributions_say():
    corrupted, clean = datasets.take(datasets.noise_reduction(256, seed=3), 8_192)
    stddev, rate, amplitude = (0.01, 0.1), (0.0, 0.02), 0.5
    gaussian = (stddev[1] ** 3 - stddev[0] ** 3) / (3 * (stddev[1] - stddev[0]))
    expected = gaussian + np.mean(rate) * amplitude**2
    errors = np.mean((corrupted - clean) ** 2, axis=(1, 2))
    assert abs(errors.mean() - expected) < 5 * errors.std() / np.sqrt(len(errors))


def test_the_level_is_drawn_per_waveform():
    quiet = {"impulse_rate": (0.0, 0.0)}
    corrupted, clean = datasets.take(datasets.noise_reduction(256, seed=3, **quiet), 4_096)
    levels = np.std(corrupted - clean, axis=(1, 2))
    expected = np.quantile(levels, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(expected, [0.019, 0.055, 0.091], atol=0.005)


def test_damage_and_signal_are_drawn_independently():
    corrupted, clean = datasets.take(datasets.noise_reduction(256, seed=3), 4_096)
    noise = (corrupted - clean)[..., 0]
    assert abs(np.mean(noise * clean[..., 0])) < 5 * noise.std() * clean.std() / np.sqrt(noise.size)
    pair = [np.mean(noise**2, axis=1), np.max(clean[..., 0], axis=1)]
    assert abs(np.corrcoef(pair)[0, 1]) < 5 / np.sqrt(4_096)


def test_the_held_signal_is_constant_over_each_hold_and_right_at_each_knot():
    corrupted, clean = datasets.take(datasets.inverse_quantization(256, seed=3), 512)
    np.testing.assert_array_equal(corrupted, np.repeat(clean[:, ::10], 10, axis=1))


def test_crops_are_stretches_of_the_recordings_each_recording_as_likely_as_any():
    data = datasets.crops(TONES, 64, seed=1, n_samples=300, damage=datasets.hold(1))
    corrupted, clean = datasets.take(data, 6_000)
    np.testing.assert_array_equal(corrupted, clean)
    starts = {
        (sign * np.float32(x[i : i + 300])).tobytes(): (name, i, sign)
        for name, x in TONES.items()
        for i in range(len(x) - 299)
        for sign in (-1, 1)
    }
    drawn = [starts[crop.tobytes()] for crop in clean[..., 0]]
    shares = np.array([sum(name == key for name, _, _ in drawn) for key in TONES]) / 6_000
    assert np.all(np.abs(shares - 1 / 3) < 5 * np.sqrt(0.25 / 6_000))
    early = np.mean([i <= 100 for name, i, _ in drawn if name == "1"])  # of 201 starts
    assert abs(early - 101 / 201) < 5 * np.sqrt(0.25 / 2_000)
    assert {("2", 0), ("2", 300), ("0", 0)} <= {(name, i) for name, i, _ in drawn}
    assert abs(np.mean([sign for _, _, sign in drawn])) < 5 / np.sqrt(6_000)


def test_a_recording_shorter_than_a_crop_is_followed_by_silence():
    short = {"short": np.ones(5)}
    data = datasets.crops(short, 2, seed=1, n_samples=8, damage=datasets.hold(1))
    clean = np.abs(next(iter(data))[1])
    np.testing.assert_array_equal(clean[0, :, 0], [1, 1, 1, 1, 1, 0, 0, 0])


def test_logarithmic_noise_levels_cover_each_decade_alike():
    damage = datasets.noise(
        stddev=(0.001, 0.1), impulse_rate=(0, 0), impulse_amplitude=0, logarithmic=True
    )
    levels = damage(tf.zeros([4_000, 256]), (1, 2)).numpy().std(axis=1)
    assert abs(np.mean(levels < 0.01) - 0.5) < 5 * 0.5 / np.sqrt(4_000)


RANGE = "must be a pair"


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        ("noise_reduction", {"cycles": (1, 129)}, f"cycles {RANGE} whole numbers"),
        ("noise_reduction", {"amplitude": (-1, 1)}, f"amplitude {RANGE}"),
        ("noise_reduction", {"phase": (1, 0)}, f"phase {RANGE}"),
        ("noise_reduction", {"stddev": (-0.1, 0.1)}, f"stddev {RANGE}"),
        ("noise_reduction", {"impulse_rate": (0.0, 1.1)}, f"impulse_rate {RANGE}"),
        ("noise_reduction", {"impulse_amplitude": -0.5}, "impulse_amplitude must be finite"),
        ("noise_reduction", {"n_samples": 0}, "n_samples must be a whole number"),
        ("inverse_quantization", {"cycles": (1, 51)}, f"cycles {RANGE} whole numbers"),
        ("inverse_quantization", {"hold_length": 0}, "hold_length must be a whole number"),
        ("inverse_quantization", {"hold_length": (0, 3)}, "hold_length must be a pair whole numb"),
        ("inverse_quantization", {"batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(build, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}.*got ") as error:
        getattr(datasets, build)(**{"batch_size": 4, "seed": 1} | arguments)
    assert "\n" not in str(error.value)
    assert str(next(iter(arguments.values()))) in str(error.value)


def test_crops_of_nothing_are_refused():
    with pytest.raises(ValueError, match="^recordings must hold at least one recording, got none"):
        datasets.crops({}, 4, seed=1, n_samples=8, damage=datasets.hold(1))
