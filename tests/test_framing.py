import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerance import rounding

from recon import framing, models

keras.utils.set_random_seed(2)
MODELS = {
    "encoder_decoder": models.encoder_decoder(
        channels=(4, 8, 8), kernel_sizes=(5, 3, 3), factors=(2, 2)
    ),
    "unet": models.unet(stem=4, channels=(8, 12)),
    "mixture": models.mixture(frame_length=24, hold_length=4, experts=2),
}
networks = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
SIGNAL = np.random.default_rng(0).normal(size=1_000).astype(np.float32)


def whole(model, signal):
    return np.asarray(model(signal[None, :, None]))[0, :, 0]


def lengths(model):
    """Any signal length up to three receptive fields."""
    left, right, _ = model.receptive_field
    return st.integers(0, 3 * (left + 1 + right))


def assert_equal(joined, model, signal):
    assert joined.shape == signal.shape
    assert joined.dtype == np.float32
    if len(signal):
        expected = whole(model, signal)
        np.testing.assert_allclose(joined, expected, rtol=0, atol=rounding(model, signal))


@networks
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_chunks_join_to_exactly_the_whole_signals_result(model, data):
    signal = SIGNAL[: data.draw(lengths(model), "n_samples")]
    stride = model.receptive_field[2]
    sizes = st.sampled_from([1, 7, 25, 31, 97, stride, 5 * stride, len(signal) + 1])
    chunk_length = data.draw(sizes | st.integers(1, 400), "chunk_length")
    assert_equal(framing.restore(model, signal, chunk_length=chunk_length), model, signal)


@networks
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_stream_in_pushes_of_any_size_equals_the_whole(model, data):
    signal, stream = SIGNAL[: data.draw(lengths(model), "n_samples")], framing.Stream(model)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(signal)), max_size=8), "cuts"))
    parts, received, returned = [], 0, 0
    for push in np.split(signal, cuts):
        parts.append(stream.push(push))
        received, returned = received + len(push), returned + len(parts[-1])
        assert returned == max(0, received - stream.latency)
    assert_equal(np.concatenate([*parts, stream.flush()]), model, signal)


@networks
@pytest.mark.parametrize("chunk_length", [1, 7, 64, 97, 5_000])
def test_chunks_of_a_long_signal_join_and_bare_frames_do_not(model, chunk_length):
    signal = SIGNAL[: 200 + 50 * chunk_length]
    assert_equal(framing.restore(model, signal, chunk_length=chunk_length), model, signal)
    bare = framing.frame_by_frame(model, signal, frame_length=100)
    assert np.abs(bare - whole(model, signal)).max() > 1e-3


@networks
def test_each_channel_equals_that_channel_alone(model):
    signal = np.stack([SIGNAL, -0.5 * SIGNAL[::-1], 0 * SIGNAL], axis=1)
    restored = framing.restore(model, signal, chunk_length=130)
    assert restored.shape == signal.shape
    for channel in range(3):
        assert_equal(restored[:, channel], model, signal[:, channel])


@networks
@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_an_empty_signal_stays_empty(model, shape):
    assert framing.restore(model, np.zeros(shape), chunk_length=10).shape == shape


def test_a_stream_that_is_flushed_or_reset_starts_anew():
    model = MODELS["unet"]
    stream = framing.Stream(model)
    assert stream.flush().shape == (0,)
    stream.push(np.ones(50))
    stream.reset()
    for _ in range(2):
        assert_equal(np.concatenate([stream.push(SIGNAL), stream.flush()]), model, SIGNAL)
    assert stream.push(np.zeros((3, 2))).shape == (0, 2)  # the next signal may be stereo


def test_a_push_that_is_refused_leaves_the_stream_as_it_was():
    model = MODELS["unet"]
    stream = framing.Stream(model)
    first = stream.push(SIGNAL[:300])
    for bad in (np.full(3, np.nan), np.zeros((3, 2)), np.array(["a"])):
        with pytest.raises(ValueError, match="^samples must be"):
            stream.push(bad)
    rest = stream.push(SIGNAL[300:])
    assert_equal(np.concatenate([first, rest, stream.flush()]), model, SIGNAL)


def test_memory_is_bounded_by_the_chunk_not_by_the_signal():
    longest = []
    model = MODELS["unet"]

    class Spy:
        receptive_field = model.receptive_field

        def __call__(self, signal):
            longest.append(signal.shape[1])
            return model(signal)

    framing.restore(Spy(), SIGNAL, chunk_length=48)
    left, right, stride = model.receptive_field
    assert max(longest) <= 48 + left + right + 2 * stride
    assert len(set(longest[9:-2])) == 1  # one shape inside, so that nothing is compiled anew


def test_overlap_add_of_the_identity_is_the_identity():
    for n_samples in (0, 1, 63, 64, 1_000):
        for frame_length in (2, 64, 100):
            joined = framing.overlap_add(lambda x: x, SIGNAL[:n_samples], frame_length=frame_length)
            np.testing.assert_allclose(joined, SIGNAL[:n_samples], atol=1e-6)


def test_overlap_add_fades_from_one_frame_to_the_next():
    numbers = iter(range(100))

    def numbered(frames):
        return np.stack([np.full((8, 1), next(numbers)) for _ in frames])

    joined = framing.overlap_add(numbered, np.zeros(20), frame_length=8)
    np.testing.assert_allclose(joined[::4], [0, 1, 2, 3, 4], atol=1e-6)  # each frame's own middle
    np.testing.assert_allclose(joined[2::4], [0.5, 1.5, 2.5, 3.5, 4.5], atol=1e-6)


def test_frame_by_frame_restores_each_frame_alone():
    joined = framing.frame_by_frame(
        lambda x: x - x.mean(axis=1, keepdims=True), SIGNAL, frame_length=3
    )
    for start in range(0, 1_000, 3):
        frame = SIGNAL[start : start + 3]
        np.testing.assert_allclose(joined[start : start + 3], frame - frame.mean(), atol=1e-6)


def test_which_axis_is_which_is_known_from_the_first_chunk_on():
    signal, model = SIGNAL[:777].reshape(7, 111), MODELS["unet"]
    joined = np.concatenate(list(framing.pieces(model, [signal[:0], signal[:3], signal[3:]])))
    np.testing.assert_allclose(joined[:, 50], whole(model, signal[:, 50]), atol=1e-6)
    stream = framing.Stream(model)
    with pytest.raises(ValueError, match="^samples must be .*got .7, 111.$"):
        stream.push(signal)


@pytest.mark.parametrize(
    "arguments",
    [
        {"chunk_length": 0},
        {"chunk_length": 2.5},
        {"signal": np.zeros((2, 2, 2))},
        {"signal": np.zeros((2, 65))},  # the axes are swapped
        {"signal": np.array(1.0)},
        {"signal": np.array([1j])},
        {"signal": np.array([1.0, np.nan])},
        {"signal": np.array([[1.0, 1e99]])},
        {"model": lambda x: x},
    ],
)
def test_bad_input_is_named_in_one_line(arguments):
    usable = {"model": MODELS["unet"], "signal": SIGNAL, "chunk_length": 10}
    (name,) = arguments
    with pytest.raises(ValueError, match=f"^{name} must be") as error:
        framing.restore(**usable | arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("frame_length", [7, 0, -2, 2.5])
def test_overlap_add_needs_an_even_frame(frame_length):
    with pytest.raises(ValueError, match=f"^frame_length must be .*{frame_length}"):
        framing.overlap_add(lambda x: x, SIGNAL, frame_length=frame_length)


def test_frame_by_frame_needs_a_frame():
    with pytest.raises(ValueError, match="^frame_length must be .*0$"):
        framing.frame_by_frame(lambda x: x, SIGNAL, frame_length=0)


def test_any_keras_model_of_local_layers_is_joined_and_another_one_refused():
    signal = keras.Input((None, 1))
    x = keras.layers.Conv1D(4, 4, strides=2, padding="same")(signal)
    x = keras.layers.Conv1DTranspose(1, 5, strides=2, padding="same")(x)
    joined = framing.restore(keras.Model(signal, x), SIGNAL, chunk_length=77)
    assert_equal(joined, models.Network(signal, x), SIGNAL)
    recurrent = keras.layers.LSTM(1, return_sequences=True)
    with pytest.raises(ValueError, match=recurrent.name):
        framing.Stream(keras.Model(signal, recurrent(signal)))


THREADS = """
import sys
import numpy as np, tensorflow as tf
threads = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(threads)
from tolerance import rounding
from recon import framing, models
signal = np.random.default_rng(0).normal(size=5_000).astype(np.float32)
gains = ((64, 4, (1, 2)),)
denoiser = models.denoiser(channels=8, frame_length=32, gains=gains)
for network in (models.unet(stem=4, channels=(8, 12)), denoiser):
    whole = np.asarray(network(signal[None, :, None]))[0, :, 0]
    for chunk_length in (97, 1_000):
        joined = framing.restore(network, signal, chunk_length=chunk_length)
        assert np.abs(joined - whole).max() <= rounding(network, signal), chunk_length
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_chunks_join_on_any_number_of_threads(threads):
    tests = Path(__file__).resolve().parent
    paths = os.pathsep.join([str(tests), str(tests.parent)])
    environment = os.environ | {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", THREADS, str(threads)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert run.returncode == 0, run.stderr[-2000:]


@pytest.mark.slow
def test_keras_models_run_compiled_for_few_lengths_where_each_is_compiled_anew():
    lengths = []

    class Compiled:
        jit_compile = True
        receptive_field = MODELS["unet"].receptive_field

        def predict_on_batch(self, signal):
            lengths.append(signal.shape[1])
            return MODELS["unet"](signal)

    assert_equal(framing.restore(Compiled(), SIGNAL, chunk_length=3), MODELS["unet"], SIGNAL)
    assert len(lengths) > 300
    assert len(set(lengths)) < 10


@pytest.mark.parametrize("method", [framing.frame_by_frame, framing.overlap_add])
@pytest.mark.parametrize("wrong", [np.zeros((640, 2)), [np.nan] * 9, [1j] * 9])
def test_what_is_no_signal_is_refused_by_the_methods_that_are_not_exact(method, wrong):
    with pytest.raises(ValueError, match="^signal must be "):
        method(lambda x: x, wrong, frame_length=64)


def test_a_stream_is_as_it_was_when_the_model_fails():
    class Louder:
        receptive_field = (0, 0, 1)
        __call__ = staticmethod(lambda x: 10 * x)

    stream = framing.Stream(Louder())
    for samples in ([5e29], [1.0]):
        if samples == [1.0]:
            assert stream.push(samples).tolist() == [10]
        with pytest.raises(ValueError, match=r"^model\(...\) must be finite"):
            stream.push([5e29, 1.0])
    assert stream.push([2.0]).tolist() == [20]
    assert stream.flush().tolist() == []


def test_an_answer_of_another_length_is_refused():
    class Shorter:
        receptive_field = (0, 0, 1)
        __call__ = staticmethod(lambda x: x[:, 1:])

    with pytest.raises(ValueError, match=r"^model\(\.\.\.\) must be \[1, 1000, 1\], got \(1, 999"):
        framing.restore(Shorter(), SIGNAL, chunk_length=10_000)
