"""One contract for every builder."""

import ast
import inspect

import keras
import numpy as np
import pytest
from keras import layers

from recon import framing, models

BUILDERS = {
    "encoder_decoder": lambda: models.encoder_decoder(
        channels=(8, 12, 16, 16), kernel_sizes=(5, 5, 3, 3)
    ),
    "unet": lambda: models.unet(stem=8, channels=(8, 12, 16)),
    "unet at the full rate": lambda: models.unet(stem=1, channels=(8, 16)),
    "unet behind a full-rate stage": lambda: models.unet(front=8, stem=8, channels=(8, 12)),
    "unet of one level": lambda: models.unet(stem=5, channels=(8,)),
    "unrolled": lambda: models.unrolled(frame_length=64),
    "mixture": lambda: models.mixture(frame_length=64, hold_length=4, experts=4),
    "mixture of one": lambda: models.mixture(frame_length=64, hold_length=4, experts=1),
    "denoiser": lambda: models.denoiser(channels=8, dilations=(1, 2, 4), front=4),
    "interpolator": lambda: models.interpolator(hold_length=4, channels=8, dilations=(1, 2, 4)),
    "interpolator of two": lambda: models.interpolator(hold_length=2, channels=8, dilations=(1, 2)),
    "interpolator of three": lambda: models.interpolator(hold_length=3, channels=8, dilations=(3,)),
    "interpolator of low-passed knots": lambda: models.interpolator(
        hold_length=3, keep_knots=False, channels=8, dilations=(1, 2)
    ),
    "mixture of low rank": lambda: models.mixture(frame_length=32, hold_length=1, rank=8),
}
builders = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def waves(batch, n_samples, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, n_samples, 1)).astype(np.float32)


@builders
@pytest.mark.parametrize("n_samples", [1, 2, 31, 32, 100, 257])
def test_any_length_in_is_the_same_length_out(build, n_samples):
    assert build()(waves(3, n_samples)).shape == (3, n_samples, 1)


@builders
def test_a_saved_model_comes_back_equal_in_safe_mode_without_custom_objects(build, tmp_path):
    model = build()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    signal = waves(2, 100)
    np.testing.assert_array_equal(model(signal), loaded(signal))
    assert framing.receptive_field(loaded) == framing.receptive_field(model)


@builders
def test_one_batch_can_be_learnt_by_heart_negative_samples_included(build):
    keras.utils.set_random_seed(1)
    model = build()
    clean = np.sin(2 * np.pi * np.array([[2.0], [5.0]]) * np.arange(64) / 64)[..., None]
    n = np.arange(64)
    kept = (n % 2 == 0) | (n % 3 == 0)  # an interpolator keeps its knots: they have to be right
    corrupted = np.where(kept[:, None], clean, clean + 0.3 * waves(2, 64))
    model.compile(keras.optimizers.Adam(1e-2), "mean_squared_error")
    often = [np.tile(x, (400, 1, 1)) for x in (corrupted, clean)]
    model.fit(*often, batch_size=2, shuffle=False, verbose=0)
    estimate = np.asarray(model(corrupted))
    assert np.mean((estimate - clean) ** 2) < 0.02 * np.mean(clean**2)
    assert estimate.min() < -0.7


def assert_receptive_field_is_as_declared(model):
    left, right, stride = framing.receptive_field(model)
    # With positive weights and samples nothing cancels and no rectifier is dead: one sample that
    # changes lights up every sample that depends on it. In silence rounding hides none of them, but
    # a spectral mask treats all bins of an impulse alike; so both are tried.
    model.set_weights([np.abs(w) * (w.ndim > 1) + 0.01 for w in model.get_weights()])
    place = (-(-right // stride) + 1) * stride
    noise = np.abs(waves(1, place + left + 3 * stride))
    lit = []
    for signal in (0 * noise, noise):
        before = np.asarray(model(signal))[0, :, 0]
        for shift in range(stride):
            changed = signal.copy()
            changed[0, place + shift] += 1
            after = np.asarray(model(changed))[0, :, 0]
            lit += list(np.flatnonzero(after != before) - place - shift)
    assert (max(lit), -min(lit)) == (left, right)


@builders
def test_the_declared_receptive_field_is_the_measured_one(build):
    assert_receptive_field_is_as_declared(build())


@builders
def test_a_shift_by_the_stride_shifts_the_output_alike(build):
    model = build()
    left, right, stride = framing.receptive_field(model)
    signal = waves(1, left + right + 9 * stride)
    ends = slice(left + stride, signal.shape[1] - max(right, stride))
    shifted = np.asarray(model(signal[:, stride:]))[0]
    np.testing.assert_allclose(
        np.asarray(model(signal))[0][ends], np.roll(shifted, stride, axis=0)[ends], atol=1e-5
    )


@pytest.mark.parametrize("name", ["denoiser", "interpolator", "interpolator of low-passed knots"])
def test_twice_as_loud_is_answered_twice_as_loud(name):
    model, signal = BUILDERS[name](), waves(2, 300)
    model.set_weights([weight + 0.1 for weight in model.get_weights()])  # a bias starts at 0
    for factor in (1e-2, 2.0, 100.0):
        np.testing.assert_allclose(
            model(factor * signal),
            factor * np.asarray(model(signal)),
            rtol=1e-2,
            atol=factor * 1e-3,
        )


@pytest.mark.parametrize("stddev", [0.01, 0.05])
def test_impulse_removal_finds_impulses_before_it_has_learnt_anything(stddev):
    random = np.random.default_rng(1)
    hiss = stddev * random.normal(size=(20, 1, 256)).astype(np.float32)
    hits = 0.5 * random.choice([-1, 0, 1], p=[0.01, 0.98, 0.01], size=hiss.shape)
    corrupted = (hiss + hits).astype(np.float32)
    cleaned = np.asarray(models.ImpulseRemoval(8)(corrupted, np.zeros_like(corrupted)))
    assert np.mean((cleaned - hiss) ** 2) < 0.05 * stddev**2
    assert np.mean((corrupted - hiss) ** 2) > stddev**2


@pytest.mark.parametrize("hold_length", [2, 3, 4, 6])
def test_an_interpolator_reads_the_knots_alone_and_keeps_them(hold_length):
    model = models.interpolator(hold_length=hold_length, channels=8, dilations=(1, 2))
    signal, other = waves(1, 101), waves(1, 101, seed=1)
    knots = np.arange(101) % hold_length == 0
    mixed = np.where(knots[:, None], signal, other)
    np.testing.assert_array_equal(model(signal), model(mixed))
    np.testing.assert_array_equal(np.asarray(model(signal))[0, knots], signal[0, knots])


def test_an_interpolator_may_change_knots_that_were_low_passed():
    model, signal = BUILDERS["interpolator of low-passed knots"](), waves(1, 99)
    assert np.all(np.asarray(model(signal))[0, ::3] != signal[0, ::3])


def test_the_sample_rate_is_saved_with_the_model(tmp_path):
    models.denoiser(channels=4, dilations=(1,), sample_rate=8_000).save(tmp_path / "model.keras")
    assert framing.sample_rate(models.load(tmp_path / "model.keras")) == 8_000
    assert framing.sample_rate(models.unet(channels=(4, 4))) is None


@pytest.mark.parametrize("name", ["denoiser", "interpolator"])
def test_a_copy_for_another_rate_is_the_same_network_and_shares_nothing(name, tmp_path):
    model, signal = BUILDERS[name](), waves(2, 100)
    before = np.asarray(model(signal))
    twin = models.copy(model, sample_rate=16_000, name="twin")
    np.testing.assert_array_equal(twin(signal), before)
    assert framing.sample_rate(twin) == 16_000
    assert framing.receptive_field(twin) == framing.receptive_field(model)
    twin.set_weights([0 * weights for weights in twin.get_weights()])
    np.testing.assert_array_equal(model(signal), before)
    twin.save(tmp_path / "twin.keras")
    assert models.load(tmp_path / "twin.keras").name == "twin"


@pytest.mark.parametrize(
    "layer", [layers.GlobalAveragePooling1D(keepdims=True), layers.LayerNormalization(axis=1)]
)
def test_a_layer_that_reads_the_whole_signal_is_refused_by_name(layer):
    signal = keras.Input((64, 1))
    with pytest.raises(
        ValueError, match=f"^model must be convolutional, got the layer '{layer.name}'"
    ):
        models.receptive_field(keras.Model(signal, layer(signal)))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv1D(1, 3, padding="causal"),
        layers.Conv1D(1, 3),
        layers.MaxPooling1D(2, padding="same"),
    ],
)
def test_a_padding_whose_reach_would_be_another_is_refused(layer):
    signal = keras.Input((64, 1))
    with pytest.raises(ValueError, match=f"^model must be convolutional, .*'{layer.name}'"):
        models.receptive_field(keras.Model(signal, layer(signal)))


def test_models_need_no_backend_but_keras():
    tree = ast.parse(inspect.getsource(models))
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported == {"keras", "numpy", "os", "zipfile"}
