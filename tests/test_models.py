"""One contract for every builder, and how far any network reads."""

import functools
import os
import zipfile

import keras
import numpy as np
import pytest
from keras import layers, ops
from tolerance import rounding

import recon
from recon import framing, models, restorers

BUILDERS = {
    "encoder_decoder": functools.partial(
        models.encoder_decoder, channels=(4, 8, 8, 12), kernel_sizes=(5, 4, 3, 3)
    ),
    "unet": functools.partial(models.unet, stem=8, channels=(8, 12)),
    "unet of two stages": functools.partial(models.unet, front=4, stem=5, channels=(8,), stages=2),
    "unrolled": functools.partial(models.unrolled, frame_length=64),
    "mixture": functools.partial(models.mixture, frame_length=64, hold_length=4, experts=4),
    "mixture of low rank": functools.partial(
        models.mixture, frame_length=32, hold_length=1, experts=8, rank=8
    ),
    "denoiser": functools.partial(
        restorers.denoiser,
        channels=8,
        dilations=(2,),
        frame_length=16,
        gains=((32, 4, (1,)), (16, 4, (2,))),
    ),
    "interpolator": functools.partial(
        restorers.interpolator, hold_length=4, frame_lengths=(48, 24), channels=4, dilations=(2,)
    ),
}
builders = pytest.mark.parametrize("name", BUILDERS)


@functools.cache
def built(name):
    """The network, made once: who changes its weights takes a copy."""
    keras.utils.set_random_seed(1)
    return BUILDERS[name](sample_rate=8_000, purpose="a test")


def waves(batch, n_samples, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, n_samples, 1)).astype(np.float32)


def whole(network, signal):
    """What a network makes of a signal [n_samples] at once."""
    return np.asarray(network(signal[None, :, None]))[0, :, 0]


def assert_joins(network, signal, chunk_length):
    joined = framing.restore(network, signal, chunk_length=chunk_length)
    atol = rounding(network, signal)
    np.testing.assert_allclose(joined, whole(network, signal), rtol=0, atol=atol)


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
    model.compile(keras.optimizers.Adam(1e-2), "mean_squared_error", jit_compile=False)
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


def nested(x):
    inner = keras.Sequential([conv(4, 5), layers.ReLU()])
    return keras.Sequential([inner, conv(4, 3, dilation_rate=2, strides=1)])(x)


def shared(x):
    layer = conv(4, 5)
    return layer(layers.ReLU()(layer(x)))


def skipping(x):
    """Two branches of the same rate, one of which reads further."""
    up = layers.UpSampling1D(2)(layers.AveragePooling1D(2)(x))
    return layers.Concatenate()([conv(4, 9)(x), layers.Multiply()([up, x])])


def chain(*middle):
    return lambda x: functools.reduce(lambda x, layer: layer(x), middle, x)


LOCAL = {  # from 4 channels, which a convolution over 3 samples makes
    "activations": lambda: chain(layers.Activation("gelu"), layers.LeakyReLU()),
    "normalization": lambda: chain(
        layers.LayerNormalization(), layers.BatchNormalization(), layers.Dropout(0.5)
    ),
    "separable": lambda: chain(layers.SeparableConv1D(4, 5, padding="same")),
    "depthwise": lambda: chain(layers.DepthwiseConv1D(4, padding="same")),
    "dilated": lambda: conv(4, 4, dilation_rate=3),
    "causal": lambda: conv(4, 5, padding="causal", dilation_rate=2),
    "strided": lambda: chain(conv(4, 6, strides=3), transposed(4, 5, 3)),
    "strided causally": lambda: chain(conv(4, 4, strides=2, padding="causal"), transposed(4, 4, 2)),
    "strided without overlap": lambda: chain(
        conv(4, 2, strides=2, padding="valid"), transposed(4, 2, 2, padding="valid")
    ),
    "kernels shorter than strides": lambda: chain(conv(4, 1, strides=3), transposed(4, 2, 3)),
    "average pooling": lambda: chain(
        layers.AveragePooling1D(5, 2, padding="same"), conv(4, 3), layers.UpSampling1D(2)
    ),
    "maximum pooling": lambda: layers.MaxPooling1D(3, 1, padding="same"),
    "reshape": lambda: chain(layers.Reshape((-1, 6)), conv(6, 3), layers.Reshape((-1, 4))),
    "reshape and upsampling": lambda: chain(
        conv(4, 3, strides=4), conv(8, 3), layers.Reshape((-1, 4)), layers.UpSampling1D(2)
    ),
    "one's own": lambda: chain(conv(4, 4, strides=2), Swapped(), transposed(4, 4, 2)),
    "nested": lambda: nested,
    "shared": lambda: shared,
    "skipping": lambda: skipping,
}


def between(middle):
    signal = keras.Input((None, 1))
    return models.Network(signal, layers.Conv1D(1, 1)(middle(conv(4, 3)(signal))))


@pytest.mark.parametrize("build", LOCAL.values(), ids=LOCAL)
def test_textbook_layers_read_no_further_than_they_say(build):
    keras.utils.set_random_seed(1)
    network = between(build())
    assert_reads_no_further_than_it_says(network, slack=0.5)
    assert_joins(network, waves(1, 53)[0, :, 0], chunk_length=7)


def test_a_path_that_is_silent_today_counts():
    signal = keras.Input((None, 1))
    gate = conv(1, 9, activation="relu", kernel_initializer="zeros")
    network = models.Network(signal, layers.Multiply()([signal, gate(signal)]))
    assert not np.any(network(waves(1, 20)))
    assert network.receptive_field == (4, 4, 1)


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
    "cropping1d": layers.Cropping1D(1),
    "silent": Silent(),
    "flip": lambda x: ops.flip(x, axis=1),
    "roll": lambda x: ops.roll(x, 100, axis=1),
    "cumsum": lambda x: ops.cumsum(x, axis=1),
}


@pytest.mark.parametrize(("name", "layer"), NOT_LOCAL.items(), ids=NOT_LOCAL)
def test_a_layer_that_says_nothing_is_refused_by_name(name, layer):
    with pytest.raises(ValueError, match=f"network must .*'{name}"):
        between(layer)


def test_a_network_that_changes_the_length_is_refused():
    with pytest.raises(ValueError, match="network must keep the length"):
        between(layers.MaxPooling1D(2))


@pytest.mark.parametrize("stddev", [0.01, 0.05])
def test_impulses_are_found_before_anything_is_learnt(stddev):
    random = np.random.default_rng(1)
    hiss = stddev * random.normal(size=(20, 1, 256)).astype(np.float32)
    hits = 0.5 * random.choice([-1, 0, 1], p=[0.01, 0.98, 0.01], size=hiss.shape)
    corrupted = (hiss + hits).astype(np.float32)
    cleaned = np.asarray(models.ImpulseRemoval(8)(corrupted, np.zeros_like(corrupted)))
    assert np.mean((cleaned - hiss) ** 2) < 0.05 * stddev**2
    assert np.mean((corrupted - hiss) ** 2) > stddev**2


@pytest.mark.parametrize("name", ["unrolled", "mixture", "denoiser"])
def test_built_under_16_bits_it_answers_nearly_as_under_32(name):
    signal, expected = waves(4, 1_000), built(name)(waves(4, 1_000))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = BUILDERS[name]()
    finally:
        keras.config.set_dtype_policy("float32")
    network.set_weights(built(name).get_weights())
    error = np.asarray(network(signal), np.float32) - expected
    assert np.std(error) < 0.02 * np.std(expected)


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


SPRING = "__import__('os').environ.update(SPRUNG='yes')"


class Pickled:
    """What runs code as it is unpickled."""

    def __reduce__(self):
        return exec, (SPRING,)


def named(x):
    return x


@pytest.mark.parametrize("kind", ["lambda", "pickled", "named"])
def test_a_model_file_cannot_run_code(tmp_path, monkeypatch, kind):
    path, signal = tmp_path / "net.keras", keras.Input((None, 1))
    code = {"lambda": lambda x: (x, __import__("os").environ.update(SPRUNG="yes"))[0]}
    layer = layers.Lambda(code.get(kind, named)) if kind != "pickled" else conv(1, 3)
    keras.Model(signal, layer(signal)).save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    if kind == "pickled":  # in the place of the weights
        del parts["model.weights.h5"]
        np.savez(tmp_path / "weights.npz", __root__=np.array(Pickled()))
        parts["model.weights.npz"] = (tmp_path / "weights.npz").read_bytes()
    if kind == "named":  # a function of a module, which would have to be imported
        (tmp_path / "trap.py").write_text(f"{SPRING}\nnamed = print")
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
