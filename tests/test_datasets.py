import numpy as np
import pytest
import tensorflow as tf

from recon import corruptors, datasets

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
    data = datasets.crops(TONES, 64, seed=1, n_samples=300, damage=corruptors.hold(1))
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
    data = datasets.crops(short, 2, seed=1, n_samples=8, damage=corruptors.hold(1))
    clean = np.abs(next(iter(data))[1])
    np.testing.assert_array_equal(clean[0, :, 0], [1, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("build", "wrong"),
    [
        ("noise_reduction", {"cycles": (1, 129)}),
        ("noise_reduction", {"cycles": (1.5, 9)}),
        ("noise_reduction", {"amplitude": (-1, 1)}),
        ("noise_reduction", {"phase": (1, 0)}),
        ("noise_reduction", {"stddev": (-0.1, 0.1)}),
        ("noise_reduction", {"impulse_rate": (0.0, 1.1)}),
        ("noise_reduction", {"impulse_amplitude": -0.5}),
        ("noise_reduction", {"n_samples": 0}),
        ("noise_reduction", {"seed": 1.5}),
        ("noise_reduction", {"seed": "one"}),
        ("inverse_quantization", {"cycles": (1, 51)}),
        ("inverse_quantization", {"hold_length": 0}),
        ("inverse_quantization", {"hold_length": (0, 3)}),
        ("inverse_quantization", {"hold_length": (2, 3, 4)}),
        ("inverse_quantization", {"batch_size": 0}),
    ],
)
def test_wrong_arguments_are_named_in_one_line(build, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"^{name} must ") as error:
        getattr(datasets, build)(**{"batch_size": 4, "seed": 1} | wrong)
    assert "\n" not in str(error.value)
    assert str(value) in str(error.value)


def test_numbers_and_ranges_may_be_numpys_or_lists():
    plain = {"batch_size": 4, "seed": 2, "n_samples": 64, "cycles": (1, 9), "amplitude": (0.5, 1.0)}
    other = {
        "batch_size": np.int64(4),
        "seed": np.arange(3)[2],
        "n_samples": np.float64(64),
        "cycles": np.array([1, 9]),
        "amplitude": [np.float32(0.5), 1],
    }
    noise = {"stddev": (0.0, 0.5), "impulse_rate": (0.0, 0.25), "impulse_amplitude": 0.5}
    others = {"stddev": [0, 0.5], "impulse_rate": np.array([0, 0.25])}
    others["impulse_amplitude"] = np.float32(0.5)
    pairs = [(datasets.noise_reduction, noise, others)]
    holds = [(5, np.int64(5)), ((2, 5), np.array([2, 5]))]
    for one, two in holds:
        pairs.append((datasets.inverse_quantization, {"hold_length": one}, {"hold_length": two}))
    for build, damage, same in pairs:
        first, second = next(iter(build(**plain, **damage))), next(iter(build(**other, **same)))
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((50, 2)), np.zeros(50, np.int16), np.zeros(0), [], 1.0],
    ids=["stereo", "integers", "empty", "empty list", "number"],
)
def test_a_recording_that_is_none_is_named_in_one_line(wrong):
    tones = TONES | {"wrong": wrong}
    with pytest.raises(ValueError, match="^recordings.*wrong") as error:
        datasets.crops(tones, 4, seed=1, n_samples=8, damage=corruptors.hold(1))
    assert "\n" not in str(error.value)


def test_crops_of_a_list_are_those_of_its_array():
    both = [
        next(iter(datasets.crops({"a": a}, 4, seed=1, n_samples=8, damage=corruptors.hold(2))))
        for a in (TONES["0"], TONES["0"].tolist())
    ]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("wrong", [{"recordings": {}}, {"n_samples": 2.5}, {"seed": 1.5}])
def test_crops_of_nothing_are_refused(wrong):
    arguments = {"recordings": TONES, "batch_size": 4, "seed": 1, "n_samples": 8} | wrong
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must "):
        datasets.crops(**arguments, damage=corruptors.hold(1))


def test_a_source_is_drawn_by_its_weight_then_a_recording_of_it():
    values = {"a/x": 0.1, "a/y": 0.2, "b/x": 0.3, "c/x": 0.4}
    recordings = {name: np.full(50, value, np.float32) for name, value in values.items()}
    pipeline = datasets.crops(
        recordings, 64, seed=1, n_samples=8, damage=corruptors.hold(1), weights={"a": 1, "b": 3}
    )
    _, clean = datasets.take(pipeline, 4_096)
    drawn, counts = np.unique(np.round(np.abs(clean[:, 0, 0]), 2), return_counts=True)
    np.testing.assert_allclose(drawn, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(counts / 4_096, [0.125, 0.125, 0.75], atol=0.03)


def test_the_gain_of_a_crop_is_drawn_in_its_logarithm():
    recordings = {"a": np.ones(50, np.float32)}
    pipeline = datasets.crops(
        recordings, 64, seed=1, n_samples=8, damage=corruptors.hold(1), gain=(0.25, 1.0)
    )
    gains = np.abs(datasets.take(pipeline, 2_048)[1][:, 0, 0])
    assert 0.25 <= gains.min() < 0.26 < 0.98 < gains.max() <= 1
    assert np.log2(gains).mean() == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("weights", [{"nobody": 1}, {"a": -1}, {"a": "much"}])
def test_weights_that_are_none_are_named(weights):
    recordings = {"a/x": np.ones(50, np.float32)}
    how = {"seed": 1, "n_samples": 8, "damage": corruptors.hold(1)}
    with pytest.raises(ValueError, match="^weights"):
        datasets.crops(recordings, 4, **how, weights=weights)


@pytest.mark.parametrize("batch_size", [16, 100, 512])
def test_a_batch_has_its_size_before_it_is_drawn(batch_size):
    pipeline = datasets.noise_reduction(batch_size, seed=1)
    assert [spec.shape for spec in pipeline.element_spec] == [(batch_size, 256, 1)] * 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda clean, seed: clean[:, :4],
        lambda clean, seed: clean[..., None],
        lambda clean, seed: tf.cast(clean, tf.float64),
    ],
)
def test_damage_that_changes_the_form_is_refused(damage):
    with pytest.raises(
        ValueError, match=r"^damage must give a tensor, float32 \(256, 8\), as it is given"
    ):
        datasets.crops(TONES, 4, seed=1, n_samples=8, damage=damage)
