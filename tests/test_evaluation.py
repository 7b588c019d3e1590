"""Methods are scored on the same data; scores become rows of a table."""

import numpy as np
import pytest

from recon import corruptors, evaluation, metrics

CLEAN = np.sin(np.arange(600).reshape(600, 1, 1) + np.arange(32)[None, :, None])
CORRUPTED = CLEAN + 0.1


def test_every_method_is_scored_on_the_same_waveforms():
    seen = []

    def spy(batch):
        seen.append(np.array(batch))
        return batch - 0.09

    scores = evaluation.score({"nothing": lambda x: x, "spy": spy}, CORRUPTED, CLEAN, limit=1e-5)
    np.testing.assert_array_equal(np.concatenate(seen), CORRUPTED)
    assert scores["nothing"]["gain_db"] == 0
    snr = np.mean(10 * np.log10(np.mean(CLEAN**2, axis=(1, 2)) / 1e-4))
    expected = {"mse": 1e-4, "gain_db": 20, "snr_db": snr, "to_limit_db": 10}
    assert scores["spy"] == pytest.approx(expected)


def test_seeds_are_one_row_with_mean_and_spread():
    seeds = [lambda x: x - 0.09, lambda x: x - 0.099]
    scores = evaluation.score({"two": seeds, "one": seeds[:1]}, CORRUPTED, CLEAN)
    assert scores["two"]["gain_db"] == pytest.approx(30)
    assert scores["two"]["gain_db_spread"] == pytest.approx(10 * 2**0.5)
    assert scores["one"]["gain_db"] == pytest.approx(20)
    assert "gain_db_spread" not in scores["one"]


def test_files_are_damaged_once_for_all_methods():
    """By the seed and the number of the file."""
    files = {"a": np.sin(np.arange(50)), "b": np.cos(np.arange(80))}
    methods = {"x": lambda x: x, "y": lambda x: x}
    scores = evaluation.score_files(methods, files, lambda x, seed: x + 10.0 ** -seed[1], seed=7)
    np.testing.assert_array_equal(scores["x"]["snr_db"], scores["y"]["snr_db"])
    first, second = scores["x"]["snr_db"]
    assert second - first == pytest.approx(20, abs=1)


def test_a_recording_is_corrupted_as_its_number_and_the_seed_decide():
    clean = np.sin(0.1 * np.arange(500, dtype=np.float32))[None, :, None]
    noise = corruptors.noise(stddev=(0.1, 0.5), impulse_rate=(0, 0.1), impulse_amplitude=1)
    first, again, third, other = (
        evaluation.corrupted_as(noise, clean, index, seed=seed)
        for index, seed in ((0, 7), (0, 7), (2, 7), (0, 8))
    )
    assert first.shape == clean.shape
    np.testing.assert_array_equal(first, again)
    assert not np.any(np.all(first == [third, other], axis=(1, 2, 3)))


def test_files_are_measured_by_what_is_asked_for():
    methods, measures = {"quieter": lambda x: x / 10}, {"si_sdr_db": metrics.si_sdr_db}
    files = {"a": np.sin(0.1 * np.arange(500))}
    scores = evaluation.score_files(methods, files, lambda x, _: x, seed=1, measures=measures)
    assert scores["quieter"]["snr_db"] == pytest.approx(-20 * np.log10(0.9))
    assert scores["quieter"]["si_sdr_db"] > 100  # a scale is no distortion


def test_files_are_summed_up_by_mean_spread_and_worst():
    values = {"snr_db": np.array([1.0, 3.0]), "si_sdr_db": np.array([5.0, 7.0])}
    summary = {"snr_db": 2, "si_sdr_db": 6, "spread_db": 1, "worst_db": 1}
    assert evaluation.per_file({"x": values}) == {"x": summary}


def test_the_worst_waveforms_are_those_of_lowest_snr():
    clean = np.array([[10.0, 0.0], [1.0, 0.0], [0.1, 0.0], [0.2, 0.0]])
    estimate = clean + np.array([[0.5, 0.0], [0.1, 0.0], [0.05, 0.0], [0.005, 0.0]])
    places = {"worst": 2, "second worst": 1, "third worst": 0, "median": 0}
    assert evaluation.worst(clean, estimate) == places


def test_a_table_is_sorted_and_leaves_gaps():
    scores = {"good": {"gain": 2.5, "x": 1}, "limit": {"gain": 9.0}, "bad": {"gain": -2.5, "x": 0}}
    columns = {"gain": ("gain, dB", ".1f"), "y": ("measured by none", ".1f"), "x": ("x", "d")}
    assert evaluation.table(scores, columns).splitlines() == [
        "| method | gain, dB | x |",
        "|:---|---:|---:|",
        "| bad | −2.5 | 0 |",
        "| good | 2.5 | 1 |",
        "| limit | 9.0 |  |",
    ]
    text = evaluation.table(scores, columns, heading="change", best_last=False)
    assert text.startswith("| change |")
    assert [line.split()[1] for line in text.splitlines()[2:]] == list(scores)
