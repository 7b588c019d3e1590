"""The trained networks that ship: each is loaded and has to score what its card says."""

import functools

import pytest
from benchmarks import recordings
from test_models import assert_joins, assert_reads_no_further_than_it_says, waves

import recon
from recon import datasets, evaluation

pytestmark = pytest.mark.slow
CARDS = recon.networks()
SHIPPED = functools.cache(recon.load)


def test_every_network_has_a_card():
    assert {path.stem for path in recon.WEIGHTS.glob("*.keras")} == set(CARDS) >= {"denoise"}


@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_scores_what_its_card_says(name):
    card = CARDS[name]
    if "score_on_what_ships_db" in card:
        score, expected = recordings.check(SHIPPED(name), name), card["score_on_what_ships_db"]
    else:
        pipeline = getattr(datasets, name)(256, seed=card["test_seed"])
        pair = datasets.take(pipeline, card["test_waveforms"])
        scores = evaluation.score({name: SHIPPED(name)}, *pair)[name]
        score, expected = scores["gain_db"], card["score"]["gain_db"]
    assert score == pytest.approx(expected, abs=0.01)  # another processor rounds otherwise


@pytest.mark.parametrize("name", CARDS)
def test_a_shipped_network_is_small_and_joins_exactly(name):
    assert (recon.WEIGHTS / f"{name}.keras").stat().st_size < 1.5e6
    network = SHIPPED(name)
    left, right, stride = network.receptive_field
    signal = waves(1, left + right + 3 * stride + 77)[0, :, 0]
    assert_joins(network, signal, chunk_length=left // 2 + 97)


@pytest.mark.parametrize("name", ["noise_reduction", "inverse_quantization", "denoise", "hold_4"])
def test_a_shipped_network_reads_no_further_than_it_says(name):
    assert_reads_no_further_than_it_says(SHIPPED(name), slack=0.1)
