"""The front door: import recon, and restore."""

import subprocess
import sys
from fractions import Fraction
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
        ({"sample_rate": 44_100}, "sample_rate must be the network's, 8,000 Hz"),
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


@pytest.mark.parametrize(
    "mix", [np.float64(0.5), np.array(0.5), np.longdouble(0.5), Fraction(1, 2)]
)
def test_a_share_of_any_type_gives_float32(network, mix):
    restored = recon.restore(NOISY, 8_000, network=network, mix=mix)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, recon.restore(NOISY, 8_000, network=network, mix=0.5))


@pytest.mark.parametrize("network", [3, None, b"denoise", ["denoise"]])
def test_what_names_no_network_is_refused(network):
    with pytest.raises(ValueError, match="^network must be a name or a path, got "):
        recon.load(network)


@pytest.fixture(scope="module")
def restorer():
    """One for a hold of 3 that tells the knots from the rest: it takes a tenth off these."""
    signal = keras.Input((None, 1))
    knots = layers.MaxPooling1D(1, strides=3)(signal)
    x = layers.Conv1D(3, 1, use_bias=False)(knots)
    network = models.Network(
        signal, layers.Reshape((-1, 1))(x), sample_rate=(1_000, 1e6), hold_length=3
    )
    network.set_weights([np.reshape([1, 0.9, 0.9], (1, 1, 3))])
    return network


@pytest.mark.parametrize("phase", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_hold_is_restored_from_any_phase(restorer, phase, channels, monkeypatch):
    monkeypatch.setattr(recon, "BLOCK", 1_000)
    held = np.repeat(NOISY[:, :channels], 3, axis=0)[phase:]
    restored = recon.restore(held, 44_100, network=restorer)
    expected = held * np.where((np.arange(len(held)) + phase) % 3, 0.9, 1)[:, None]
    np.testing.assert_allclose(restored, expected, rtol=1e-6)


def test_equal_knots_do_not_hide_the_hold(restorer):
    held = np.repeat(np.repeat(NOISY[:40, 0], 2), 3)[1:]  # some knots are like those before
    held = np.concatenate([held, np.repeat(NOISY[:9, 0], 3)])
    restored = recon.restore(held, 8_000, network=restorer)
    np.testing.assert_allclose(restored[2:5] / held[2:5], [1, 0.9, 0.9], rtol=1e-6)


@pytest.mark.parametrize(
    ("held", "got"),
    [
        (NOISY[:, 0], "none that are held"),
        (np.repeat(NOISY, 2, axis=0), "2"),
        (np.repeat(NOISY, 6, axis=0), "6"),
    ],
)
def test_what_is_not_held_as_the_network_expects_is_refused(restorer, held, got):
    with pytest.raises(ValueError, match=f"^samples must be held for 3 samples each, got {got}$"):
        recon.restore(held, 8_000, network=restorer)


def test_silence_and_a_single_step_are_held_well_enough(restorer):
    for held in (np.zeros(50), np.repeat([0.0, 1.0], 25)):
        assert recon.restore(held, 8_000, network=restorer).shape == held.shape


def test_a_hold_is_not_resampled(restorer):
    held = np.repeat(NOISY, 3, axis=0)
    with pytest.raises(ValueError, match="^sample_rate must be the network's, 1,000 to 1e"):
        recon.restore(held, 500, network=restorer, resample=True)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(0,), (1,), (999,), (999, 2)])
@pytest.mark.parametrize("factor", [2, 4, 6])
def test_an_upsampled_recording_keeps_its_samples_and_is_as_many_times_as_long(shape, factor):
    samples = np.resize(NOISY, shape) / 10
    finer = recon.upsample(samples, factor)
    assert finer.shape == (factor * shape[0], *shape[1:])
    np.testing.assert_array_equal(finer[::factor], samples)


def test_a_sinusoid_far_below_the_limit_is_upsampled_well():
    for factor in (2, 4, 6):
        time = np.arange(1_200 * factor) / factor
        tone = 0.5 * np.sin(0.3 * time)
        finer = recon.upsample(tone[::factor], factor)
        inner = slice(400, -400)
        assert metrics.snr_db(*(x[None, inner, None] for x in (tone, finer)))[0] > 30


@pytest.mark.parametrize("factor", [0, 3, 2.5, "a", None])
def test_other_factors_are_refused(factor):
    with pytest.raises(ValueError, match="^factor must be "):
        recon.upsample(NOISY, factor)


def test_a_file_is_upsampled_to_a_multiple_of_its_rate(tmp_path):
    soundfile.write(tmp_path / "in.wav", NOISY / 10, 8_000, subtype="FLOAT")
    said = recon.upsample_file(tmp_path / "in.wav", tmp_path / "out.wav", factor=4.0)
    assert said.endswith("out.wav: 0.4 s restored")
    about = soundfile.info(tmp_path / "out.wav")
    assert (about.samplerate, about.frames, about.channels) == (32_000, 12_000, 2)
    found = soundfile.read(tmp_path / "out.wav", dtype="float32")[0]
    np.testing.assert_allclose(found, recon.upsample(NOISY / 10, 4), atol=1e-6)


def test_the_cards_are_a_table():
    cards = recon.networks()
    assert {"purpose", "licence", "score"} <= set.intersection(*map(set, cards.values()))
    text = cards._repr_markdown_()
    assert text == repr(cards)
    assert all(f"| {name} |" in text for name in cards)


@pytest.mark.slow
def test_a_network_that_ships_knows_what_its_card_says():
    for name, card in recon.networks().items():
        network = recon.load(name)
        assert network.purpose == card["purpose"]
        assert recon.rates(network.sample_rate) == recon.rates(card.get("sample_rate"))


def test_files_are_restored_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", NOISY / 10, 8_000)
    said = recon.restore_file("in.wav", "out.flac")
    assert said == "out.flac: 0.4 s restored"
    restored = recon.restore(soundfile.read("in.wav")[0], 8_000)
    np.testing.assert_allclose(soundfile.read("out.flac")[0], restored, atol=0.51 * 2**-15)


def test_what_was_done_is_one_line_whatever_the_name(network, tmp_path):
    soundfile.write(tmp_path / "in.wav", NOISY / 10, 8_000)
    said = recon.restore_file(tmp_path / "in.wav", tmp_path / "a\nb.wav", network=network)
    assert "\n" not in said
    assert said.endswith("a\\nb.wav': 0.4 s restored")


def test_a_format_that_does_not_hold_the_samples_gets_its_own_kind_and_it_is_said(tmp_path):
    soundfile.write(tmp_path / "in.wav", NOISY / 10, 8_000, subtype="FLOAT")
    said = recon.restore_file(tmp_path / "in.wav", tmp_path / "out.flac")
    assert "written as PCM_16" in said


def test_the_first_example_restores_a_recording_that_ships(tmp_path):
    noisy, target = ROOT / "docs" / "sounds" / "noisy.flac", tmp_path / "restored.flac"
    assert recon.restore_file(noisy, target).endswith("1.6 s restored")
    clean = 0.7 * soundfile.read(ROOT / "recon" / "recordings" / "voice-8838.flac")[0]
    snr = [
        metrics.snr_db(clean[None], soundfile.read(path)[0][None])[0] for path in (noisy, target)
    ]
    assert snr[1] > snr[0] + 9


def test_what_ships_is_small_and_says_its_licence():
    files = [*(ROOT / "recon" / "recordings").iterdir(), *(ROOT / "docs" / "sounds").iterdir()]
    assert sum(path.stat().st_size for path in files) < 300_000
    for path in files:
        with soundfile.SoundFile(path) as file:
            assert file.license in ("CC BY 4.0", "CC0")
            assert file.comment.startswith("https://")


@pytest.mark.parametrize("rate", [11_025, 1_000_000, 10**9])
def test_a_mix_of_nothing_changes_nothing_at_any_rate(rate):
    samples = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    untouched = recon.restore(samples, rate, mix=0, resample=True)
    np.testing.assert_array_equal(untouched, samples)
