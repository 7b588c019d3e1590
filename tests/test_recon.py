"""The front door: arrays and files of any shape, at any rate, in any share."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import soundfile
from keras import layers
from record import ROOT

import recon
from recon import models

NOISY = np.random.default_rng(0).uniform(-0.9, 0.9, (3_000, 2)).astype(np.float32)


def network(kernel, sample_rate=None):
    """One that convolves by `kernel`."""
    signal = keras.Input((None, 1))
    x = layers.Conv1D(1, len(kernel), padding="same", use_bias=False)(signal)
    model = models.Network(signal, x, sample_rate=sample_rate)
    model.set_weights([np.reshape(kernel, (-1, 1, 1))])
    return model


def restorer():
    """For a hold of 3 samples; it tells the knots from the rest, of which it takes a tenth off."""
    signal = keras.Input((None, 1))
    x = layers.Conv1D(3, 1, use_bias=False)(layers.MaxPooling1D(1, strides=3)(signal))
    options = {"sample_rate": (1_000, 1_000_000), "hold_length": 3}
    model = models.Network(signal, layers.Reshape((-1, 1))(x), **options)
    model.set_weights([np.reshape([1, 0.9, 0.9], (1, 1, 3))])
    return model


NEGATIVE, HELD = network([0, -1, 0], sample_rate=8_000), restorer()


def test_importing_is_quick_without_tensorflow():
    code = "import sys, time; start = time.process_time(); import recon; "
    code += "assert time.process_time() < start + 0.1 and 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("shape", [(0,), (1,), (3_000,), (0, 2), (3_000, 2), (200_000,)])
def test_an_array_keeps_its_shape(shape):
    samples = np.resize(NOISY, shape)
    restored = recon.restore(samples, 8_000, network=NEGATIVE)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, -samples)


@pytest.mark.parametrize("block", [100, 999, 10**6])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_is_restored_as_its_array(block, channels, tmp_path, monkeypatch):
    model, samples = network([0.1, -0.3, 0.5, 0.2, 0.1]), NOISY[:1_001, :channels]
    whole = recon.restore(samples, 11_025, network=model)
    monkeypatch.setattr(recon, "BLOCK", block)
    source, target, shares = tmp_path / "in.wav", tmp_path / "out.wav", []
    soundfile.write(source, samples, 11_025, subtype="FLOAT")
    line = recon.restore_file(source, target, network=model, progress=shares.append)
    assert line == f"{target}: 0.1 s restored"
    assert shares[-1] == max(shares) == 1
    restored, rate = soundfile.read(target, always_2d=True)
    assert rate == 11_025
    np.testing.assert_allclose(restored, whole, atol=1e-6)


@pytest.mark.parametrize("mix", [0, 0.25, 1])
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_mix_is_the_share_of_the_restored(mix, rate, monkeypatch):
    """And other rates come back aligned, without a seam between blocks."""
    monkeypatch.setattr(recon, "BLOCK", 10_001)
    tone = np.sin(2 * np.pi * 300 * np.arange(70_000) / rate).astype(np.float32)
    restored = recon.restore(tone, rate, network=NEGATIVE, mix=mix, resample=True)
    assert restored.shape == tone.shape
    inner = slice(500, -500)  # ends ring where a rate is converted
    np.testing.assert_allclose(restored[inner], (1 - 2 * mix) * tone[inner], atol=1e-3)


@pytest.mark.parametrize("phase", [0, 1, 2])
@pytest.mark.parametrize(("channels", "some"), [(1, 40), (2, 40), (1, 2_999), (2, 3_000)])
def test_a_hold_is_restored_from_any_phase(phase, channels, some, monkeypatch):
    monkeypatch.setattr(recon, "BLOCK", 1_000)
    knots = NOISY[:, :channels].copy()
    knots[:some] = 0  # silence, and equal knots, do not hide the hold
    held = np.repeat(knots, 3, axis=0)[phase:]
    restored = recon.restore(held, 44_100, network=HELD)
    expected = held * np.where((np.arange(len(held)) + phase) % 3, 0.9, 1)[:, None]
    np.testing.assert_allclose(restored, expected, rtol=1e-6)


@pytest.mark.parametrize("hold_length", [1, 2, 4])
def test_a_hold_that_is_none_is_refused(hold_length):
    with pytest.raises(ValueError, match="^samples must be held for 3 samples each"):
        recon.restore(np.repeat(NOISY, hold_length, axis=0), 8_000, network=HELD)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"samples": NOISY.T}, r"samples must be \[n_samples\] or \[n_samples, channels\], got "),
        ({"samples": [np.nan]}, ".* must be finite"),
        ({"sample_rate": 44_100}, "sample_rate must be .*8000 Hz, or resample=True, got 44100$"),
        ({"network": HELD, "sample_rate": 500, "resample": True}, "sample_rate must .* got 500$"),
        ({"mix": 2}, ".*mix must .*1.* got 2$"),
        ({"network": "nothing"}, "network must be a .keras file or one of .*got 'nothing'$"),
    ],
)
def test_bad_input_is_named(wrong, rule):
    with pytest.raises(ValueError, match=f"^{rule}"):
        recon.restore(**{"samples": NOISY, "sample_rate": 8_000, "network": NEGATIVE} | wrong)


def test_what_ships_is_small_and_licensed():
    paths = [*(ROOT / "recon" / "recordings").iterdir(), *(ROOT / "docs" / "sounds").iterdir()]
    assert sum(path.stat().st_size for path in paths) < 300_000
    for path in paths:
        with soundfile.SoundFile(path) as file:
            assert file.license in ("CC BY 4.0", "CC0")
