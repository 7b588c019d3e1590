"""One contract for every builder, and how far any network reads."""

import os
import zipfile
from functools import cache, partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from tolerance import rounding

import recon
from recon import framing, models, restorers

GAINS = ((32, 4, (1,)), (16, 4, (2,)))
SHARES = {"frame_lengths": (48, 24), "channels": 4, "dilations": (2,)}
BUILDERS = {
    "encoder_decoder": partial(models.encoder_decoder, channels=(4, 8, 8, 12)),
    "unet": partial(models.unet, stem=8, channels=(8, 12)),
    "unet of two stages": partial(models.unet, front=4, stem=5, channels=(8,), stages=2),
    "unrolled": partial(models.unrolled, frame_length=64),
    "mixture": partial(models.mixture, frame_length=64, hold_length=4, experts=4),
    "mixture of low rank": partial(models.mixture, frame_length=32, hold_length=1, rank=8),
    "denoiser": partial(
        restorers.denoiser, channels=8, dilations=(2,), frame_length=16, gains=GAINS
    ),
    "interpolator": partial(restorers.interpolator, hold_length=4, **SHARES),
}
builders = pytest.mark.parametrize("name", BUILDERS)


@cache
def built(name):
    """The network, made once: who changes its weights takes a copy."""
    keras.utils.set_random_seed(1)
    return BUILDERS[name](sample_rate=8_000, purpose="a test")


def waves(batch, n_samples, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, n_samples, 1)).astype(np.float32)


def whole(network, signal):
    """What a network makes of a signal [n_samples] at once."""
    return np.asarray(network(signal[None, :, None]))[0, :, 0]


def assert_whole(joined, network, signal):
    """Equal, up to rounding, to what the network makes of the whole signal at once."""
    assert (joined.shape, joined.dtype) == (signal.shape, np.float32)
    if len(signal):
        atol = rounding(network, signal)
        np.testing.assert_allclose(joined, whole(network, signal), rtol=0, atol=atol)


def assert_joins(network, signal, chunk_length):
    assert_whole(framing.restore(network, signal, chunk_length=chunk_length), network, signal)


def assert_reads_no_further_than_it_says(network, slack=0.0):
    """Change one sample and see which samples of the answer change.

    What the network says may exceed that by a share of `slack`.
    """
    model = models.copy(network)
    left, right, stride = model.receptive_field
    # With positive weights and samples nothing cancels, and no rectifier is dead. A change weighs
    # too little to be seen at the ends of a window, but for what is no number.
    model.set_weights([np.abs(w) * (w.ndim > 1) + 0.01 for w in model.get_weights()])
    # The first and the last sample of a long stride reach farthest.
    shifts = np.arange(stride) if stride <= 100 else np.array([0, stride - 1])
    places = (-(-right // stride) + 1) * stride + shifts
    before = np.repeat(np.abs(waves(1, places[0] + left + 3 * stride)), len(places), axis=0)
    reach = []
    for change in (1, np.nan):
        after = before.copy()
        after[np.arange(len(places)), places] += change
        # Of the same shape, so that rounding is the same and only what depends on it changes.
        row, n = np.nonzero((np.asarray(model(after)) != np.asarray(model(before)))[..., 0])
        reach.extend(n - places[row])
    assert -right <= min(reach)
    assert max(reach) <= left
    assert left + right <= (1 + slack) * (max(reach) - min(reach))


@builders
def test_any_length_in_is_the_same_length_out(name):
    for n_samples in (1, 32, 101):
        assert built(name)(waves(3, n_samples)).shape == (3, n_samples, 1)


@builders
@pytest.mark.slow
def test_saved_and_loaded_it_is_equal(name, tmp_path):
    path, signal = tmp_path / "model.keras", waves(2, 100)
    models.save(built(name), path)
    loaded = recon.load(path)
    np.testing.assert_array_equal(loaded(signal), built(name)(signal))
    for about in ("receptive_field", "name", "sample_rate", "purpose", "hold_length"):
        assert getattr(loaded, about) == getattr(built(name), about)


def test_a_copy_is_equal_and_shares_nothing():
    model, signal = built("interpolator"), waves(2, 100)
    before = np.asarray(model(signal))
    twin = models.copy(model, name="twin", sample_rate=16_000)
    np.testing.assert_array_equal(twin(signal), before)
    assert (twin.name, twin.sample_rate, twin.hold_length) == ("twin", 16_000, 4)
    twin.set_weights([0 * weights for weights in twin.get_weights()])
    np.testing.assert_array_equal(model(signal), before)


@builders
@pytest.mark.slow
def test_one_batch_is_learnt_by_heart(name):
    keras.utils.set_random_seed(1)
    model = models.copy(built(name))
    n = np.arange(64)
    clean = np.sin(2 * np.pi * np.array([[2], [5]]) * n / 64)[..., None]
    # An interpolator keeps its knots: they have to be right.
    corrupted = clean + 0.3 * waves(2, 64) * (n % 2 != 0)[:, None]
    rate = 3e-3 if name == "denoiser" else 1e-2
    model.compile(keras.optimizers.Adam(rate), "mean_squared_error", jit_compile=False)
    often = [np.tile(signals, (100, 1, 1)) for signals in (corrupted, clean)]
    model.fit(*often, batch_size=2, shuffle=False, verbose=0)
    estimate = np.asarray(model(corrupted))
    assert np.mean((estimate - clean) ** 2) < 0.02 * np.mean(clean**2)
    assert estimate.min() < -0.7


@builders
def test_a_builder_reads_no_further_than_it_says(name):
    assert_reads_no_further_than_it_says(built(name), slack=0.2)


@keras.saving.register_keras_serializable("tests")
class Swapped(layers.Layer):
    """A layer of one's own: every two neighbours change places."""

    receptive_field = (1, 1, 2)

    def call(self, x):
        pairs = ops.reshape(x, (-1, ops.shape(x)[1] // 2, 2, x.shape[-1]))
        return ops.reshape(pairs[:, :, ::-1], ops.shape(x))


def conv(filters, size, **options):
    return layers.Conv1D(filters, size, **{"padding": "same"} | options)


def transposed(filters, size, strides, **options):
    return layers.Conv1DTranspose(filters, size, strides, **{"padding": "same"} | options)


def skipping(x):
    """Two branches of one rate, one of which reads further; and a layer that stands twice."""
    layer = conv(4, 5)
    up = layers.UpSampling1D(2)(layers.AveragePooling1D(2)(layer(layer(x))))
    return layers.Concatenate()([conv(4, 13)(x), layers.Multiply()([up, x])])


LOCAL = {  # layers in a row
    "pointwise": [layers.Activation("gelu"), layers.LayerNormalization(), layers.Dropout(0.5)],
    "separable": [layers.SeparableConv1D(4, 5, padding="same"), layers.BatchNormalization()],
    "depthwise": [layers.DepthwiseConv1D(4, padding="same")],
    "dilated": [conv(4, 4, dilation_rate=3)],
    "causal": [conv(4, 5, padding="causal", dilation_rate=2)],
    "strided causally": [conv(4, 4, strides=2, padding="causal"), transposed(4, 4, 2)],
    "strided": [conv(4, 6, strides=3), transposed(4, 5, 3)],
    "without overlap": [conv(4, 2, strides=2, padding="valid"), transposed(4, 2, 2)],
    "shorter than the stride": [conv(4, 1, strides=3), transposed(4, 2, 3, padding="valid")],
    "maximum": [layers.MaxPooling1D(2), conv(4, 3), layers.UpSampling1D(2)],
    "mean": [layers.AveragePooling1D(5, 2, padding="same"), layers.UpSampling1D(2)],
    "reshape": [layers.Reshape((-1, 6)), layers.Dense(6), layers.Reshape((-1, 4))],
    "sub-pixel": [conv(8, 3, strides=4), layers.Reshape((-1, 4)), layers.UpSampling1D(2)],
    "one's own": [conv(4, 4, strides=2), Swapped(), transposed(4, 4, 2)],
    "nested": [keras.Sequential([keras.Sequential([conv(4, 5)]), conv(4, 4)])],
    "skipping": [skipping],
}


def between(middle):
    """A network of some layers between two convolutions."""
    x = signal = keras.Input((None, 1))
    for layer in (conv(4, 3), *middle, conv(1, 3)):
        x = layer(x)
    return models.Network(signal, x)


@pytest.mark.parametrize("middle", LOCAL.values(), ids=LOCAL)
def test_textbook_layers_read_no_further_than_they_say(middle):
    keras.utils.set_random_seed(1)
    network = between(middle)
    assert_reads_no_further_than_it_says(network, slack=0.3)
    assert_joins(network, waves(1, 53)[0, :, 0], chunk_length=13)


class Silent(layers.Layer):
    """A layer of one's own that does not say how far it reads."""

    def call(self, x):
        return x


NOT_LOCAL = {
    "multi_head_attention": lambda x: layers.MultiHeadAttention(1, 2)(x, x),
    "global_average_pooling1d": layers.GlobalAveragePooling1D(keepdims=True),
    "group_normalization": layers.GroupNormalization(2),
    "lstm": layers.LSTM(4, return_sequences=True),
    "softmax": layers.Softmax(axis=1),
    "conv1d": layers.Conv1D(4, 3),
    "conv1d_transpose": transposed(4, 3, 2, output_padding=0),
    "cropping1d": layers.Cropping1D(1),
    "silent": Silent(),
    "flip": lambda x: ops.flip(x, axis=1),
    "roll": lambda x: ops.roll(x, 100, axis=1),
}


@pytest.mark.parametrize(("name", "layer"), NOT_LOCAL.items(), ids=NOT_LOCAL)
def test_a_layer_that_says_nothing_is_refused_by_name(name, layer):
    with pytest.raises(ValueError, match=f"network must .*'{name}"):
        between([layer])


def test_a_network_that_changes_the_length_is_refused():
    with pytest.raises(ValueError, match="network must keep the length"):
        between([layers.MaxPooling1D(2)])


def test_a_writer_that_fails_halfway_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.keras"
    models.save(built("unet"), path)
    before = path.read_bytes()

    def half(self, path, **options):
        path.write_bytes(before[:1_000])
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", half)
    with pytest.raises(OSError, match="No space left"):
        models.save(built("unrolled"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class Pickled:
    """What runs code as it is unpickled."""

    def __reduce__(self):
        return exec, ("__import__('os').environ.update(SPRUNG='yes')",)


@pytest.mark.parametrize("kind", ["lambda", "pickled", "named"])
def test_a_model_file_cannot_run_code(tmp_path, monkeypatch, kind):
    path, signal = tmp_path / "net.keras", keras.Input((None, 1))
    layer = conv(1, 3) if kind == "pickled" else layers.Lambda(keras.activations.relu)
    if kind == "lambda":
        layer = layers.Lambda(lambda x: (x, __import__("os").environ.update(SPRUNG="yes"))[0])
    keras.Model(signal, layer(signal)).save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    if kind == "pickled":  # in the place of the weights
        np.savez(tmp_path / "weights.npz", __root__=np.array(Pickled()))
        parts["model.weights.npz"] = (tmp_path / "weights.npz").read_bytes()
        del parts["model.weights.h5"]
    if kind == "named":  # a function of a module, which would have to be imported
        (tmp_path / "trap.py").write_text("__import__('os').environ.update(SPRUNG='yes')")
        monkeypatch.syspath_prepend(tmp_path)
        parts["config.json"] = parts["config.json"].replace(b'"builtins"', b'"trap"')
        assert b'"trap"' in parts["config.json"]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    monkeypatch.delenv("SPRUNG", raising=False)
    with pytest.raises((ValueError, TypeError)):
        recon.load(path)
    assert "SPRUNG" not in os.environ
