"""The trained networks that ship: each is loaded and has to score what its card says."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import recordings
from test_models import assert_receptive_field_is_as_declared
from tolerance import rounding

from recon import datasets, evaluation, framing, models

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS, RESULTS = ROOT / "recon" / "weights", ROOT / "docs" / "results"
CARDS = {path.stem: json.loads(path.read_text()) for path in sorted(WEIGHTS.glob("*.json"))}


@functools.cache
def shipped(name):
    return models.load(WEIGHTS / f"{name}.keras")


def test_every_network_has_a_card():
    assert {path.stem for path in WEIGHTS.glob("*.keras")} == set(CARDS)
    assert set(CARDS) >= {"noise_reduction", "inverse_quantization"}


RECORDINGS = [name for name, card in CARDS.items() if "score_on_what_ships_db" in card]


@pytest.mark.parametrize("name", [n for n, card in CARDS.items() if "test_waveforms" in card])
def test_a_shipped_network_scores_what_its_card_says(name):
    card = CARDS[name]
    pipeline = getattr(datasets, name)(256, seed=card["test_seed"])
    pair = datasets.take(pipeline, card["test_waveforms"])
    score = evaluation.score({name: shipped(name)}, *pair)[name]
    # Another processor rounds otherwise; decibels near float32's end move most.
    assert score["gain_db"] == pytest.approx(card["score"]["gain_db"], abs=0.01)
    assert score["snr_db"] == pytest.approx(card["score"]["snr_db"], abs=0.1)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_network_for_recordings_scores_what_its_card_says_on_the_recordings_that_ship(name):
    score = CARDS[name]["score_on_what_ships_db"]
    assert recordings.check(shipped(name), name) == pytest.approx(score, abs=0.01)


def test_networks_lead_on_every_row_of_the_published_comparison():
    for rows in json.loads((RESULTS / "super_resolution.json").read_text()).values():
        for protocol in ("no low-pass", "low-pass"):
            for row in rows[protocol].values():
                scores = {name: score["snr_db"] for name, score in row["scores"].items()}
                assert scores.pop("network") > max(scores.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_is_small_and_joins_exactly(name):
    assert (WEIGHTS / f"{name}.keras").stat().st_size < 1.5e6
    network = shipped(name)
    left, right, stride = network.receptive_field
    signal = np.random.default_rng(0).uniform(-1, 1, 2 * (left + right) + 77).astype(np.float32)
    whole = np.asarray(network(signal[None, :, None]))[0, :, 0]
    for chunk_length in (97 + left // 8, 5 * stride, len(signal) + 1):
        joined = framing.restore(network, signal, chunk_length=chunk_length)
        np.testing.assert_allclose(joined, whole, rtol=0, atol=rounding(network, signal))


# Where the denoiser sees farthest is seen from a few of its 1,024 samples only: test_models looks
# at a smaller one from all.
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(CARDS) - {"denoise"}))
def test_a_shipped_network_sees_as_far_as_it_declares(name):
    held = 9 if name == "inverse_quantization" else 0  # what follows the last knot
    assert_receptive_field_is_as_declared(shipped(name), unread=held)
