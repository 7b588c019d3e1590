"""One contract for every builder."""

import ast
import functools
import inspect
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from tolerance import rounding

import recon
from recon import baselines, metrics, models

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
    "denoiser": lambda: models.denoiser(
        channels=8, dilations=(1, 2), frame_length=16, gains=((32, 4, (1,)), (16, 4, (1, 2)))
    ),
    "interpolator": lambda: models.interpolator(
        hold_length=4, frame_lengths=(48, 24), channels=4, dilations=(1, 2)
    ),
    "interpolator of two": lambda: models.interpolator(
        hold_length=2, frame_lengths=(32,), channels=4, dilations=(2,)
    ),
    "interpolator of three": lambda: models.interpolator(
        hold_length=3, frame_lengths=(24, 12), channels=4, dilations=(1,)
    ),
    "mixture of low rank": lambda: models.mixture(frame_length=32, hold_length=1, rank=8),
}
builders = pytest.mark.parametrize("name", BUILDERS)


@functools.cache
def built(name):
    """The network, made once: who changes its weights takes a copy."""
    keras.utils.set_random_seed(1)
    return BUILDERS[name]()


def waves(batch, n_samples, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, n_samples, 1)).astype(np.float32)


@builders
def test_any_length_in_is_the_same_length_out(name):
    for n_samples in (1, 2, 31, 32, 100, 257):
        assert built(name)(waves(3, n_samples)).shape == (3, n_samples, 1)


@builders
def test_a_saved_model_comes_back_equal_in_safe_mode_without_custom_objects(name, tmp_path):
    model = models.copy(built(name), sample_rate=8_000, purpose="a test")
    models.save(model, tmp_path / "model.keras")
    loaded = models.load(tmp_path / "model.keras")
    signal = waves(2, 100)
    np.testing.assert_array_equal(built(name)(signal), loaded(signal))
    for about in ("receptive_field", "latency", "sample_rate", "purpose", "name"):
        assert getattr(loaded, about) == getattr(model, about)


@builders
@pytest.mark.slow
def test_one_batch_can_be_learnt_by_heart_negative_samples_included(name):
    keras.utils.set_random_seed(1)
    model = models.copy(built(name))
    clean = np.sin(2 * np.pi * np.array([[2.0], [5.0]]) * np.arange(64) / 64)[..., None]
    n = np.arange(64)
    kept = (n % 2 == 0) | (n % 3 == 0)  # an interpolator keeps its knots: they have to be right
    corrupted = np.where(kept[:, None], clean, clean + 0.3 * waves(2, 64))
    adam = keras.optimizers.Adam(1e-2)
    model.compile(adam, "mean_squared_error")
    often = [np.tile(x, (100, 1, 1)) for x in (corrupted, clean)]
    model.fit(*often, batch_size=2, shuffle=False, verbose=0)
    estimate = np.asarray(model(corrupted))
    assert np.mean((estimate - clean) ** 2) < 0.02 * np.mean(clean**2)
    assert estimate.min() < -0.7


def assert_receptive_field_is_as_declared(network, unread=0):
    """Change one sample and see which samples of the answer change; of those that a layer gets
    some may be left `unread`."""
    model = models.copy(network)
    left, right, stride = model.receptive_field
    # With positive weights and samples nothing cancels and no rectifier is dead: one sample that
    # changes lights up every sample that depends on it. In silence rounding hides none of them, but
    # a spectral mask treats all bins of an impulse alike, and the ends of a window weigh too little
    # to be seen but by what is no number; so all are tried.
    model.set_weights([np.abs(w) * (w.ndim > 1) + 0.01 for w in model.get_weights()])
    # The longest stride is a frame of the unrolled network's: its first and last sample reach
    # farthest.
    shifts = np.arange(stride) if stride <= 100 else np.array([0, stride - 1])
    places = (-(-right // stride) + 1) * stride + shifts
    noise = np.abs(waves(1, places[0] + left + 3 * stride))
    lit = []
    for signal, change in ((0 * noise, 1), (noise, 1), (noise, np.nan)):
        before = np.repeat(signal, len(places), axis=0)
        after = before.copy()
        after[np.arange(len(places)), places] += change
        # Of the same shape, so that rounding is the same and only what depends on it changes.
        row, n = np.nonzero((np.asarray(model(after)) != np.asarray(model(before)))[..., 0])
        lit.append(n - places[row])
    lit = np.concatenate(lit)
    assert (lit.max(), -lit.min()) == (left, right - unread)


@builders
def test_the_declared_receptive_field_is_the_measured_one(name):
    held = 3 if name in ("mixture", "mixture of one") else 0  # what follows the last knot
    assert_receptive_field_is_as_declared(built(name), unread=held)


def same(kind, *args, **options):
    return kind(*args, padding="same", **options)


def hidden(*middle):
    """A network of some layers between two convolutions."""
    signal = keras.Input((None, 1))
    x = same(layers.Conv1D, 4, 3)(signal)
    for layer in middle:
        x = layer(x)
    return models.Network(signal, layers.Conv1D(1, 1)(x))


def shared():
    signal, layer = keras.Input((None, 1)), same(layers.Conv1D, 1, 5)
    return models.Network(signal, layer(layers.ReLU()(layer(signal))))


def past():
    signal = keras.Input((None, 1))
    x = layers.Conv1D(1, 1, strides=3)(signal)
    return models.Network(signal, layers.UpSampling1D(3)(x))


def nested():
    inner = keras.Sequential([same(layers.Conv1D, 4, 5), layers.ReLU()])
    return hidden(keras.Sequential([inner, same(layers.Conv1D, 4, 3, dilation_rate=2)]))


LOCAL = {
    "GELU": lambda: hidden(layers.Activation("gelu"), same(layers.Conv1D, 4, 3)),
    "PReLU": lambda: hidden(layers.PReLU(shared_axes=[1]), same(layers.Conv1D, 4, 3)),
    "LayerNormalization": lambda: hidden(layers.LayerNormalization(), same(layers.Conv1D, 4, 3)),
    "BatchNormalization": lambda: hidden(layers.BatchNormalization(), layers.Dropout(0.5)),
    "SeparableConv1D": lambda: hidden(same(layers.SeparableConv1D, 4, 5)),
    "DepthwiseConv1D": lambda: hidden(same(layers.DepthwiseConv1D, 5, depth_multiplier=2)),
    "grouped": lambda: hidden(same(layers.Conv1D, 4, 7, groups=2)),
    "dilated": lambda: hidden(same(layers.Conv1D, 4, 4, dilation_rate=3)),
    "causal": lambda: hidden(layers.Conv1D(4, 5, padding="causal", dilation_rate=2)),
    "strided": lambda: hidden(
        same(layers.Conv1D, 4, 6, strides=3), same(layers.Conv1DTranspose, 4, 5, strides=3)
    ),
    "strided, without overlap": lambda: hidden(
        layers.Conv1D(4, 2, strides=2), same(layers.Conv1DTranspose, 4, 2, strides=2)
    ),
    "of the past alone": past,
    "AveragePooling1D": lambda: hidden(
        same(layers.AveragePooling1D, 5, strides=2), layers.UpSampling1D(2)
    ),
    "MaxPooling1D": lambda: hidden(same(layers.MaxPooling1D, 3, strides=1)),
    "nested Sequential": nested,
    "shared": shared,
}


@pytest.mark.parametrize("build", LOCAL.values(), ids=LOCAL)
def test_layers_of_any_network_see_as_far_as_is_measured(build):
    assert_receptive_field_is_as_declared(build())


def constant(value):
    return keras.initializers.Constant(value)


def silent(kind):
    signal = keras.Input((None, 1))
    if kind == "gate":
        gate = same(layers.Conv1D, 1, 9, activation="sigmoid", bias_initializer=constant(-1e4))
        return models.Network(signal, layers.Multiply()([signal, gate(signal)]))
    options = {
        "dead units": {"bias_initializer": constant(-1e9), "activation": "relu"},
        "zeros": {"kernel_initializer": "zeros"},
    }[kind]
    x = same(layers.Conv1D, 3, 9, **options)(signal)
    return models.Network(signal, layers.Conv1D(1, 1, kernel_initializer="zeros")(x))


@pytest.mark.parametrize("kind", ["gate", "dead units", "zeros"])
def test_a_path_that_is_silent_today_counts(kind):
    network = silent(kind)
    assert network.receptive_field == (4, 4, 1)
    assert not np.any(network(waves(1, 20)))


@pytest.mark.parametrize(
    "layer",
    [
        layers.MultiHeadAttention(1, 2),
        layers.GlobalAveragePooling1D(keepdims=True),
        layers.GroupNormalization(2),
        layers.LSTM(4, return_sequences=True),
        layers.Softmax(axis=1),
        layers.Conv1D(4, 3),
        layers.Cropping1D(1),
        layers.ZeroPadding1D(1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_that_is_not_local_is_refused_by_name(layer):
    signal = keras.Input((None, 1))
    x = same(layers.Conv1D, 4, 3)(signal)
    two = isinstance(layer, layers.MultiHeadAttention)
    x = layers.Conv1D(1, 1)(layer(x, x) if two else layer(x))
    with pytest.raises(
        ValueError, match=f"local .*'{layer.name}'.*{type(layer).__name__}"
    ) as error:
        models.Network(signal, x)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=layer.name):
        models.as_network(keras.Model(signal, x))


@pytest.mark.parametrize("shift", [1, 4, 8, -100])
def test_a_shift_is_not_local_however_far(shift):
    signal = keras.Input((None, 1))
    with pytest.raises(ValueError, match=r"^network must be local .*roll"):
        models.Network(signal, ops.roll(signal, shift, axis=1))


def test_a_padding_of_the_output_is_refused():
    signal = keras.Input((None, 1))
    x = layers.MaxPooling1D(2)(signal)
    x = layers.Conv1DTranspose(1, 5, strides=2, padding="same", output_padding=0)(x)
    with pytest.raises(ValueError, match=r"^network must be local .*output_padding"):
        models.Network(signal, x)


def test_a_network_of_numpys_numbers_is_saved_and_any_functional_model_is_copied(tmp_path):
    one = np.array([1])
    how = {"position": 4, "channels": 4, "dilations": one, "frame_length": np.int64(16)}
    network = models.denoiser(**how, gains=((np.int64(32), np.int32(4), one),))
    assert models.denoiser(**how, gains=()).receptive_field < network.receptive_field
    models.save(network, tmp_path / "x.keras")
    assert models.load(tmp_path / "x.keras").receptive_field == network.receptive_field
    chain = keras.Sequential([keras.Input((None, 1)), layers.Conv1D(1, 3, padding="same")])
    x = np.random.default_rng(0).normal(size=(1, 20, 1)).astype("float32")
    np.testing.assert_allclose(models.copy(chain, name="twin")(x), chain(x))


@pytest.mark.parametrize("name", ["cumsum", "flip"])
def test_an_operation_that_is_not_local_is_refused_by_name(name):
    signal = keras.Input((None, 1))
    with pytest.raises(ValueError, match=f"local .*{name}"):
        models.Network(signal, getattr(ops, name)(signal, axis=1))


def test_what_is_no_network_is_refused():
    with pytest.raises(ValueError, match="functional"):
        models.as_network(lambda x: x)
    signal = keras.Input((None, 2))
    with pytest.raises(ValueError, match="n_samples, 1"):
        models.Network(signal, same(layers.Conv1D, 1, 3)(signal))


@builders
def test_a_shift_by_the_stride_shifts_the_output_alike(name):
    model = built(name)
    left, right, stride = model.receptive_field
    signal = waves(1, left + right + 9 * stride)
    ends = slice(left + stride, signal.shape[1] - max(right, stride))
    shifted = np.asarray(model(signal[:, stride:]))[0]
    np.testing.assert_allclose(
        np.asarray(model(signal))[0][ends],
        np.roll(shifted, stride, axis=0)[ends],
        rtol=0,
        atol=rounding(model, signal),
    )


@pytest.mark.parametrize("name", ["denoiser", "interpolator"])
def test_twice_as_loud_is_answered_twice_as_loud(name):
    model, signal = models.copy(built(name)), waves(2, 300)
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


def test_surprise_is_the_error_of_the_best_prediction_from_both_sides():
    random, poles = np.random.default_rng(0), (1.6, -0.8)
    noise, signal = random.normal(size=20_480), np.zeros(20_480)
    for n in range(2, len(signal)):
        signal[n] = poles[0] * signal[n - 1] + poles[1] * signal[n - 2] + noise[n]
    least = 1 / (1 + poles[0] ** 2 + poles[1] ** 2)  # variance, for all other samples are known
    surprise = np.asarray(models.Surprise(512)(np.float32(signal[None, :, None])))[0, :, 0]
    inner = slice(512, -512)
    # Less than the least: the spectrum, of a frame alone, follows each sample a little.
    assert 0.6 * least < surprise[inner].var() < 1.1 * least
    assert signal[inner].var() > 30 * least


def test_surprise_hears_an_impulse_whole_and_not_from_its_neighbours():
    waves = np.sin(0.1 * np.arange(4_096)) + 0.5 * np.sin(0.43 * np.arange(4_096))
    hit = waves.copy()
    hit[[1_000, 3_000]] += 0.5, -0.5
    for clean in (0 * waves, waves):
        corrupted = clean + hit - waves
        surprise = np.asarray(models.Surprise(512)(np.float32(corrupted[None, :, None])))[0, :, 0]
        np.testing.assert_allclose(surprise[[1_000, 3_000]], [0.5, -0.5], atol=0.05)
        assert np.abs(np.delete(surprise, [1_000, 3_000])[512:-512]).max() < 0.25


@pytest.mark.parametrize("each", [1, 4])  # roots per position or per sample
def test_a_choice_is_the_answer_whose_root_is_large_at_any_loudness(each):
    signals = np.random.default_rng(0).normal(size=(3, 2, 5, 4)).astype(np.float32)
    answers = np.concatenate(list(signals), axis=-1)
    for chosen, loudness in ((0, 1.0), (1, 1e-9), (2, 1e9)):
        roots = np.full((2, 5, 3 * each), 0.01 * loudness, np.float32)
        roots[..., each * chosen : each * (chosen + 1)] = -loudness
        np.testing.assert_allclose(models.Choice(3)(answers, roots), signals[chosen], atol=1e-6)
    undecided = models.Choice(3)(answers, 0 * roots)
    np.testing.assert_allclose(undecided, signals.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("hold_length", [2, 3, 4, 6])
def test_an_interpolator_reads_the_knots_alone_and_keeps_them(hold_length):
    model = models.interpolator(
        hold_length=hold_length, frame_lengths=(48, 24), channels=4, dilations=(1,)
    )
    signal, other = waves(1, 101), waves(1, 101, seed=1)
    knots = np.arange(101) % hold_length == 0
    mixed = np.where(knots[:, None], signal, other)
    np.testing.assert_array_equal(model(signal), model(mixed))
    np.testing.assert_array_equal(np.asarray(model(signal))[0, knots], signal[0, knots])


@pytest.mark.parametrize("hold_length", [2, 3, 4, 6])
def test_an_interpolator_begins_as_the_cubic_spline(hold_length):
    """Its shares are those of a power that falls with the fourth power of frequency."""
    model = models.interpolator(hold_length=hold_length, channels=4, dilations=(1,))
    places = np.arange(6_000) // hold_length * hold_length
    held = np.sin(0.3 * np.pi / hold_length * places, dtype=np.float32)[None, :, None]
    spline, inner = baselines.spline(held, hold_length=hold_length), slice(1_000, -1_000)
    assert metrics.snr_db(spline[:, inner], np.asarray(model(held))[:, inner]) > 60


def test_frames_that_hold_no_whole_knots_are_refused():
    with pytest.raises(ValueError, match="frame_length must be a multiple of 10, got 1536"):
        models.interpolator(hold_length=5)


def test_a_copy_for_another_rate_is_the_same_network_and_shares_nothing():
    model, signal = built("interpolator"), waves(2, 100)
    before = np.asarray(model(signal))
    twin = models.copy(model, sample_rate=16_000, name="twin")
    np.testing.assert_array_equal(twin(signal), before)
    assert (twin.sample_rate, twin.name, model.sample_rate) == (16_000, "twin", None)
    assert twin.receptive_field == model.receptive_field
    twin.set_weights([0 * weights for weights in twin.get_weights()])
    np.testing.assert_array_equal(model(signal), before)


def half(self, target, **options):
    target.write_bytes(b"half a file")
    raise OSError("No space left on device")


def broken(self, target, **options):
    target.write_bytes(b"broken")


@pytest.mark.parametrize("save", [half, broken])
def test_a_file_that_cannot_be_saved_or_read_back_leaves_the_previous_one(
    tmp_path, monkeypatch, save
):
    path = tmp_path / "net.keras"
    models.save(built("denoiser"), path)
    before = path.read_bytes()
    monkeypatch.setattr(keras.Model, "save", save)
    with pytest.raises((ValueError, OSError)):
        models.save(built("denoiser"), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.keras"]


def test_a_file_that_is_none_or_damaged_is_refused_in_one_line(tmp_path):
    path = tmp_path / "net.keras"
    models.save(built("denoiser"), path)
    whole = path.read_bytes()
    for damaged in (None, b"", whole[:100], whole[: len(whole) // 2] + b"?" + whole[-2000:]):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        with pytest.raises(ValueError, match="network must be") as error:
            models.load(path)
        assert "\n" not in str(error.value)


def test_a_file_that_holds_code_is_refused_and_the_code_not_run(tmp_path):
    signal = keras.Input((None, 1))
    code = layers.Lambda(lambda x: x, output_shape=(None, 1))
    keras.Model(signal, code(signal)).save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match="network must be"):
        models.load(tmp_path / "code.keras")


def test_models_need_no_backend_but_keras():
    tree = ast.parse(inspect.getsource(models))
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported - sys.stdlib_module_names == {"keras", "numpy", "recon"}


def test_what_a_network_says_of_itself_is_checked():
    signal = keras.Input((None, 1))
    x = layers.Conv1D(1, 3, padding="same")(signal)
    for wrong in ("8000", [8_000], (48_000, 8_000), np.nan, 0):
        with pytest.raises(ValueError, match="^sample_rate must be "):
            models.Network(signal, x, sample_rate=wrong)
    for wrong in ("4", 0, 2.5):
        with pytest.raises(ValueError, match="^hold_length must be "):
            models.Network(signal, x, hold_length=wrong)
    network = models.Network(signal, x, sample_rate=8_000)
    with pytest.raises(ValueError, match="^about must be .*, got rate$"):
        models.copy(network, rate=3)
    with pytest.raises(ValueError, match="^model must have one input and one output"):
        models.as_network(keras.Model(signal, [x, x]))


@pytest.mark.parametrize("path", ["nowhere/a.keras", "folder.keras", "a.h5", "a"])
def test_a_network_is_saved_where_it_can_be_found_again_or_refused(tmp_path, path):
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(ValueError, match="^path must ") as error:
        models.save(built("unet"), tmp_path / path)
    assert "\n" not in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.keras"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["denoise", "hold_4"])
def test_networks_that_ship_answer_alike_whatever_keras_is_set_to(name):
    signal, set_to = waves(1, 4_000), keras.config
    before = np.asarray(recon.load(name)(signal))
    for put, other, usual in (
        (set_to.set_dtype_policy, "mixed_bfloat16", "float32"),
        (set_to.set_dtype_policy, "mixed_float16", "float32"),
        (set_to.set_floatx, "float64", "float32"),
        (set_to.set_image_data_format, "channels_first", "channels_last"),
    ):
        put(other)
        try:
            after = np.asarray(recon.load(name)(signal))
            found = {set_to.dtype_policy().name, set_to.floatx(), set_to.image_data_format()}
            assert other in found  # as its user set it
        finally:
            put(usual)
        np.testing.assert_array_equal(after, before, err_msg=other)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["unrolled", "mixture"])
def test_a_network_is_built_under_16_bits_and_answers_nearly_as_under_32(name, policy):
    signal = waves(4, 1_000)
    network = built(name)
    keras.config.set_dtype_policy(policy)
    try:
        other = BUILDERS[name]()
        other.set_weights(network.get_weights())
        answer = np.asarray(other(signal), np.float32)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(answer, network(signal), atol=0.02)
