"""The front door: import recon, and restore."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from keras import layers

import recon
from recon import metrics, models

ROOT = Path(__file__).resolve().parent.parent
NOISY = np.random.default_rng(0).normal(size=(3_000, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    """One that turns its input over."""
    signal = keras.Input((None, 1))
    x = layers.Conv1D(1, 3, padding="same", use_bias=False)(signal)
    network = models.Network(signal, x, sample_rate=8_000)
    network.set_weights([np.reshape([0, -1, 0], (3, 1, 1))])
    return network


def test_importing_takes_no_time_and_no_tensorflow(tmp_path):
    code = "import time; t = time.perf_counter(); import recon; t = time.perf_counter() - t; "
    code += "import sys; print(t, 'tensorflow' in sys.modules, 'numpy' in sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    seconds, *modules = said.split()
    assert float(seconds) < 0.1
    assert modules == ["False", "False"]


def test_every_module_is_there_on_first_use_and_no_other():
    assert recon.metrics is metrics
    assert {"datasets", "restore", "networks"} <= set(dir(recon))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = recon.nothing


@pytest.mark.parametrize("shape", [(0,), (1,), (3_000,), (0, 2), (3_000, 2), (200_000,)])
def test_an_array_comes_back_in_its_shape(network, shape):
    samples = np.resize(NOISY, shape)
    restored = recon.restore(samples, 8_000, network=network)
    assert restored.shape == shape
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, -samples)


@pytest.mark.parametrize("mix", [0, 0.25, 1])
@pytest.mark.parametrize("resample", [False, True])
def test_mix_is_the_share_of_the_restored_signal(network, mix, resample):
    rate = 16_000 if resample else 8_000
    tone = np.sin(2 * np.pi * 300 * np.arange(70_000) / rate).astype(np.float32)
    restored = recon.restore(tone, rate, network=network, mix=mix, resample=resample)
    inner = slice(500, -500)
    np.testing.assert_allclose(restored[inner], (1 - 2 * mix) * tone[inner], atol=1e-3)
    if mix == 0:
        np.testing.assert_array_equal(restored, tone)


def test_lists_and_integers_are_taken_and_the_argument_is_left_alone(network):
    samples = [1, -2, 3]
    np.testing.assert_array_equal(recon.restore(samples, 8_000, network=network), [-1, 2, -3])
    assert samples == [1, -2, 3]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"samples": NOISY.T}, "samples must be"),
        ({"samples": NOISY[None]}, "samples must be"),
        ({"samples": ["a"]}, "samples must be"),
        ({"samples": [np.nan]}, "samples must be finite"),
        ({"sample_rate": 44_100}, "sample_rate must be the network's, 8000 Hz"),
        ({"sample_rate": np.inf}, "sample_rate must be a number"),
        ({"sample_rate": 0}, "sample_rate must be a number"),
        ({"mix": 2}, "mix must be a number within"),
        ({"network": "nothing"}, "network must be a .keras file or one of"),
        ({"network": "noise_reduction"}, "network must be for recordings, got one for sinusoids"),
    ],
)
def test_bad_input_is_named_in_one_line(network, wrong, says):
    usable = {"samples": NOISY, "sample_rate": 8_000, "network": network}
    with pytest.raises(ValueError, match=f"^{says}") as error:
        recon.restore(**usable | wrong)
    assert "\n" not in str(error.value)


def test_the_cards_are_a_table():
    cards = recon.networks()
    assert {"purpose", "licence", "score"} <= set.intersection(*map(set, cards.values()))
    text = cards._repr_markdown_()
    assert text == repr(cards)
    assert all(f"| {name} |" in text for name in cards)


def test_a_network_that_ships_knows_what_its_card_says():
    for name, card in recon.networks().items():
        network = recon.load(name)
        assert network.purpose == card["purpose"]
        assert network.sample_rate == card.get("sample_rate")


def test_files_are_restored_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", NOISY / 10, 8_000)
    said = recon.restore_file("in.wav", "out.flac")
    assert said == "out.flac: 0.4 s restored"
    restored = recon.restore(soundfile.read("in.wav")[0], 8_000)
    np.testing.assert_allclose(soundfile.read("out.flac")[0], restored, atol=0.51 * 2**-15)


def test_a_format_that_does_not_hold_the_samples_gets_its_own_kind_and_it_is_said(tmp_path):
    soundfile.write(tmp_path / "in.wav", NOISY / 10, 8_000, subtype="FLOAT")
    said = recon.restore_file(tmp_path / "in.wav", tmp_path / "out.flac")
    assert "written as PCM_16" in said
