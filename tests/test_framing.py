"""Chunks and streams equal the whole, whatever the sizes."""

import keras
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_models import assert_joins, assert_whole, builders, built, waves, whole
from tolerance import rounding

from recon import framing

SIGNAL = waves(1, 3_000)[0, :, 0]


@builders
@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
def test_a_stream_in_pushes_of_any_size_equals_the_whole(name, data):
    model = built(name)
    left, right, stride = model.receptive_field
    stream = framing.Stream(model)
    signal = SIGNAL[: data.draw(st.integers(0, 2 * (left + right + stride)), "n_samples")]
    cuts = st.lists(st.integers(0, len(signal)), max_size=8).map(sorted)
    parts, received, returned = [], 0, 0
    for push in np.split(signal, data.draw(cuts, "cuts")):
        parts.append(stream.push(push))
        received, returned = received + len(push), returned + len(parts[-1])
        assert returned == max(0, received - stream.latency)
    assert_whole(np.concatenate([*parts, stream.flush()]), model, signal)


@builders
def test_chunks_equal_the_whole(name):
    assert_joins(built(name), SIGNAL[:1_003], chunk_length=197)


def test_each_channel_is_restored_by_itself():
    model = built("unet")
    signal = np.stack([SIGNAL[:600], -0.5 * SIGNAL[600:1_200], np.zeros(600, np.float32)], axis=1)
    restored = framing.restore(model, signal, chunk_length=130)
    for channel in range(3):
        assert_whole(restored[:, channel], model, signal[:, channel])


@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_an_empty_signal_stays_empty(shape):
    assert framing.restore(built("unet"), np.zeros(shape), chunk_length=10).shape == shape


def test_a_flushed_stream_begins_another_signal():
    model, signal = built("unet"), SIGNAL[:400]
    stream = framing.Stream(model)
    assert stream.flush().shape == (0,)
    for _ in range(2):
        assert_whole(np.concatenate([stream.push(signal), stream.flush()]), model, signal)
    assert stream.push(np.zeros((3, 2))).shape == (0, 2)  # in stereo


def test_a_share_of_the_signal_may_stay_as_it_was():
    model, signal = built("unet"), SIGNAL[:400]
    chunks = signal[:0], signal[:150], signal[150:]
    mixed = np.concatenate(list(framing.pieces(framing.Stream(model, mix=0.25), chunks)))
    expected = 0.25 * whole(model, signal) + 0.75 * signal
    np.testing.assert_allclose(mixed, expected, rtol=0, atol=rounding(model, signal))


def test_memory_is_bounded_by_the_chunk():
    lengths, model = [], built("unet")
    left, right, stride = model.receptive_field

    class Spy:
        receptive_field = left, right, stride

        def __call__(self, signal):
            lengths.append(signal.shape[1])
            return model(signal)

    framing.restore(Spy(), SIGNAL[:1_000], chunk_length=2 * stride)
    assert max(lengths) <= left + right + 4 * stride
    assert len(set(lengths[9:-2])) == 1  # one shape inside: nothing is compiled anew


def test_any_keras_model_of_local_layers_is_joined_sample_by_sample():
    down = keras.layers.Conv1D(4, 4, strides=2, padding="same")
    up = keras.layers.Conv1DTranspose(1, 5, strides=2, padding="same")
    model = keras.Sequential([keras.Input((None, 1)), down, up])
    assert_joins(model, SIGNAL[:60], chunk_length=1)


def test_swapped_axes_are_refused():
    with pytest.raises(ValueError, match=r"must be .*n_samples, channels.*2, 65"):
        framing.restore(built("unet"), np.zeros((2, 65)), chunk_length=10)
