"""The trained networks that ship: each is loaded and has to score what its card says."""

import functools

import pytest
from benchmarks import recordings
from test_models import assert_joins, assert_reads_no_further_than_it_says, waves

import recon
from recon import datasets, evaluation

CARDS = recon.networks()
SHIPPED = functools.cache(recon.load)


def test_every_network_has_a_card():
    assert {path.stem for path in recon.WEIGHTS.glob("*.keras")} == set(CARDS)
    assert set(CARDS) >= {"noise_reduction", "inverse_quantization", "denoise", "hold_2"}


@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_scores_what_its_card_says(name):
    card = CARDS[name]
    if "test_waveforms" not in card:
        score = recordings.check(SHIPPED(name), name)
        assert score == pytest.approx(card["score_on_what_ships_db"], abs=0.01)
        return
    pipeline = getattr(datasets, name)(256, seed=card["test_seed"])
    pair = datasets.take(pipeline, card["test_waveforms"])
    score = evaluation.score({name: SHIPPED(name)}, *pair)[name]
    # Another processor rounds otherwise; decibels near float32's end move most.
    assert score["gain_db"] == pytest.approx(card["score"]["gain_db"], abs=0.01)
    assert score["snr_db"] == pytest.approx(card["score"]["snr_db"], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_is_small_and_joins_exactly(name):
    assert (recon.WEIGHTS / f"{name}.keras").stat().st_size < 1.5e6
    network = SHIPPED(name)
    left, right, stride = network.receptive_field
    signal = waves(1, left + right + 3 * stride + 77)[0, :, 0]
    assert_joins(network, signal, chunk_length=left // 2 + 97)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noise_reduction", "inverse_quantization", "hold_4"])
def test_a_shipped_network_reads_no_further_than_it_says(name):
    assert_reads_no_further_than_it_says(SHIPPED(name), slack=0.1)
