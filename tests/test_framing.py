import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon import framing, models

keras.utils.set_random_seed(2)
MODELS = {
    "encoder_decoder": models.encoder_decoder(
        channels=(4, 8, 8), kernel_sizes=(5, 3, 3), factors=(2, 2)
    ),
    "unet": models.unet(stem=4, channels=(8, 12)),
}
networks = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
SIGNAL = np.random.default_rng(0).normal(size=1_000).astype(np.float32)


def whole(model, signal):
    return np.asarray(model(signal[None, :, None]))[0, :, 0]


@networks
@given(n_samples=st.integers(1, 300), chunk_length=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_chunks_join_to_exactly_the_whole_signals_result(model, n_samples, chunk_length):
    signal = SIGNAL[:n_samples]
    chunked = framing.restore(model, signal, chunk_length=chunk_length)
    assert chunked.shape == signal.shape
    scale = np.abs(whole(model, signal)).max()
    np.testing.assert_allclose(chunked, whole(model, signal), atol=1e-6 * max(scale, 1))


@networks
@pytest.mark.parametrize("chunk_length", [1, 7, 64, 97, 5_000])
def test_chunks_of_a_long_signal_join_and_bare_frames_do_not(model, chunk_length):
    chunked = framing.restore(model, SIGNAL, chunk_length=chunk_length)
    np.testing.assert_allclose(chunked, whole(model, SIGNAL), atol=1e-6)
    bare = framing.frame_by_frame(model, SIGNAL, frame_length=96)
    assert np.abs(bare - whole(model, SIGNAL)).max() > 1e-3


@networks
def test_an_empty_signal_stays_empty(model):
    assert framing.restore(model, np.zeros(0), chunk_length=10).shape == (0,)


def test_memory_is_bounded_by_the_chunk_not_by_the_signal():
    longest = []
    model = MODELS["unet"]

    class Spy:
        layers = model.layers

        def __call__(self, signal):
            longest.append(signal.shape[1])
            return model(signal)

    framing.restore(Spy(), SIGNAL, chunk_length=50)
    left, right, stride = framing.receptive_field(model)
    assert max(longest) <= 50 + left + right + 2 * stride
    assert len(set(longest[1:-10])) == 1  # one shape inside, so that nothing is compiled anew


def test_overlap_add_of_the_identity_is_the_identity():
    for frame_length in (2, 64, 100):
        joined = framing.overlap_add(lambda x: x, SIGNAL, frame_length=frame_length)
        np.testing.assert_allclose(joined, SIGNAL, atol=1e-6)


def test_frame_by_frame_restores_each_frame_alone():
    joined = framing.frame_by_frame(lambda x: x - x.mean(), SIGNAL, frame_length=300)
    for start in range(0, 1_000, 300):
        frame = SIGNAL[start : start + 300]
        np.testing.assert_allclose(joined[start : start + 300], frame - frame.mean(), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chunk_length": 0}, "chunk_length must be a whole number of at least 1, got 0"),
        ({"chunk_length": 2.5}, "chunk_length must be a whole number of at least 1, got 2.5"),
        ({"signal": np.zeros((2, 2, 2))}, "signal must be finite real samples"),
        ({"signal": np.array([1.0, np.nan])}, "signal must be finite real samples"),
        ({"signal": np.array([1j])}, "signal must be finite real samples"),
        ({"model": lambda x: x}, "model must declare a receptive field"),
    ],
)
def test_bad_input_is_named_in_one_line(arguments, message):
    usable = {"model": MODELS["unet"], "signal": SIGNAL, "chunk_length": 10}
    with pytest.raises(ValueError, match=f"^{message}") as error:
        framing.restore(**usable | arguments)
    assert "\n" not in str(error.value)
