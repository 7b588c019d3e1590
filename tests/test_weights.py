"""The trained networks that ship: each is loaded and has to score what its card says."""

import json
from pathlib import Path

import keras
import pytest

from recon import datasets, evaluation, models

assert models.CropToInput  # importing registers the layers that the files name

WEIGHTS = Path(__file__).resolve().parent.parent / "recon" / "weights"
CARDS = {path.stem: json.loads(path.read_text()) for path in sorted(WEIGHTS.glob("*.json"))}


def test_every_network_has_a_card():
    assert {path.stem for path in WEIGHTS.glob("*.keras")} == set(CARDS)
    assert set(CARDS) >= {"noise_reduction", "inverse_quantization"}


@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_scores_what_its_card_says(name):
    card, path = CARDS[name], WEIGHTS / f"{name}.keras"
    assert path.stat().st_size < 1.5e6
    network = keras.saving.load_model(path, safe_mode=True)
    pipeline = getattr(datasets, name)(256, seed=card["test_seed"])
    pair = datasets.take(pipeline, card["test_waveforms"])
    score = evaluation.score({name: network}, *pair)[name]
    # Another processor rounds otherwise; decibels near float32's end move most.
    assert score["gain_db"] == pytest.approx(card["score"]["gain_db"], abs=0.01)
    assert score["snr_db"] == pytest.approx(card["score"]["snr_db"], abs=0.1)
