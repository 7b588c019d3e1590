"""The trained networks that ship: each is loaded and has to score what its card says."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import recordings
from test_models import assert_receptive_field_is_as_declared
from tolerance import rounding

from recon import audio, datasets, evaluation, framing, models

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS, RESULTS = ROOT / "recon" / "weights", ROOT / "docs" / "results"
CARDS = {path.stem: json.loads(path.read_text()) for path in sorted(WEIGHTS.glob("*.json"))}


@functools.cache
def shipped(name):
    return models.load(WEIGHTS / f"{name}.keras")


def test_every_network_has_a_card():
    assert {path.stem for path in WEIGHTS.glob("*.keras")} == set(CARDS)
    assert set(CARDS) >= {"noise_reduction", "inverse_quantization"}


SPEECH = [name for name in CARDS if name.startswith("speech")]


@pytest.mark.parametrize("name", sorted(set(CARDS) - set(SPEECH)))
def test_a_shipped_network_scores_what_its_card_says(name):
    card = CARDS[name]
    pipeline = getattr(datasets, name)(256, seed=card["test_seed"])
    pair = datasets.take(pipeline, card["test_waveforms"])
    score = evaluation.score({name: shipped(name)}, *pair)[name]
    # Another processor rounds otherwise; decibels near float32's end move most.
    assert score["gain_db"] == pytest.approx(card["score"]["gain_db"], abs=0.01)
    assert score["snr_db"] == pytest.approx(card["score"]["snr_db"], abs=0.1)


@pytest.mark.parametrize("name", SPEECH)
def test_a_network_for_speech_scores_what_its_card_says_on_notes_that_anyone_can_make(
    name,
):
    card, network = CARDS[name], shipped(name)
    assert network.sample_rate == card["sample_rate"] == 8_000
    assert recordings.check(network, name) == pytest.approx(
        card["score_on_synthesised_notes_db"], abs=0.01
    )


@pytest.fixture(scope="session")
def digits(recordings_folder):
    """The test part of the spoken digits, where RECON_RECORDINGS names their folder."""
    if not recordings_folder:
        pytest.skip("RECON_RECORDINGS names no folder")
    test = audio.split(audio.load(recordings_folder)[0])[2]
    if len(test) != 300:
        pytest.skip("RECON_RECORDINGS does not hold the Free Spoken Digit Dataset")
    return test


@pytest.mark.parametrize("name", SPEECH)
def test_a_network_for_speech_scores_what_its_card_says_on_the_digits(name, digits):
    network = shipped(name)
    damage = recordings.speech.DAMAGE[name]
    seed = recordings.speech.TEST_SEED
    files = evaluation.score_files({name: network}, digits, damage, seed=seed)
    score = CARDS[name]["score"]["snr_db"]
    assert files[name]["snr_db"].mean() == pytest.approx(score, abs=0.01)


def test_the_networks_for_speech_lead_by_what_is_recorded():
    results = json.loads((RESULTS / "recordings.json").read_text())
    assert set(results) == set(SPEECH)
    lead = {}
    for name, record in results.items():
        scores = {method: row["snr_db"] for method, row in record["scores"].items()}
        lead[name] = scores.pop("network") - max(scores.values())
        assert CARDS[name]["training_seconds"] <= 1200
    assert lead["speech_hold2_8k"] > 2
    assert lead["speech_hold4_8k"] > 3.0
    assert lead["speech_hold6_8k"] > 2.5
    assert results["speech_denoise_8k"]["undamaged"]["mean_db"] > 30
    assert lead["speech_denoise_8k"] > 3
    assert results["speech_denoise_8k"]["scores"]["network"]["snr_db"] > 17.5


def test_published_denoisers_are_left_behind_by_what_the_project_promises():
    scores = json.loads((RESULTS / "denoisers.json").read_text())["scores"]
    ours = scores.pop("speech_denoise_8k")["snr_db"]
    assert ours > 3 + max(row["snr_db"] for row in scores.values())


def test_networks_lead_on_every_row_of_the_published_comparison():
    for rows in json.loads((RESULTS / "super_resolution.json").read_text()).values():
        for protocol in ("no low-pass", "low-pass"):
            for row in rows[protocol].values():
                scores = {name: score["snr_db"] for name, score in row["scores"].items()}
                assert scores.pop("network") > max(scores.values())


@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_is_small_and_joins_exactly(name):
    assert (WEIGHTS / f"{name}.keras").stat().st_size < 1.5e6
    network = shipped(name)
    left, right, stride = network.receptive_field
    signal = np.random.default_rng(0).uniform(-1, 1, 2 * (left + right) + 77).astype(np.float32)
    whole = np.asarray(network(signal[None, :, None]))[0, :, 0]
    for chunk_length in (97, 5 * stride, len(signal) + 1):
        joined = framing.restore(network, signal, chunk_length=chunk_length)
        np.testing.assert_allclose(joined, whole, rtol=0, atol=rounding(network, signal))


@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_sees_as_far_as_it_declares(name):
    assert_receptive_field_is_as_declared(shipped(name))
