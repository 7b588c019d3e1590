import numpy as np
import pytest

from recon import corruptors, evaluation

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
    assert scores["spy"]["gain_db"] == pytest.approx(20)
    assert scores["spy"]["mse"] == pytest.approx(1e-4)
    assert scores["spy"]["to_limit_db"] == pytest.approx(10)
    expected = np.mean(10 * np.log10(np.mean(CLEAN**2, axis=(1, 2)) / 1e-4))
    assert scores["spy"]["snr_db"] == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [lambda x: x[:, 1:], lambda x: x * np.nan])
def test_a_method_that_answers_wrongly_is_named(wrong):
    with pytest.raises(ValueError, match=r"^methods\['wrong'\]\(...\) must "):
        evaluation.score({"wrong": wrong}, CORRUPTED, CLEAN)


def test_files_are_damaged_once_and_alike_for_every_method():
    files = {"a": np.sin(np.arange(50)), "b": np.cos(np.arange(80))}

    def damage(clean, seed):
        assert seed[0] == 7
        return clean + 10.0 ** (-seed[1]) * 0.1

    methods = {"x": lambda x: x, "y": lambda x: x}
    scores = evaluation.score_files(methods, files, damage, seed=7)
    np.testing.assert_array_equal(scores["x"]["snr_db"], scores["y"]["snr_db"])
    assert scores["x"]["snr_db"].shape == (2,)
    assert scores["x"]["snr_db"][1] - scores["x"]["snr_db"][0] == pytest.approx(20, abs=1)


def test_a_recording_is_corrupted_as_its_number_and_the_seed_decide():
    clean = np.sin(0.1 * np.arange(500))[None, :, None]
    noise = corruptors.noise(stddev=(0.1, 0.5), impulse_rate=(0, 0.1), impulse_amplitude=1)
    first, again, third, other = (
        evaluation.corrupted_as(noise, clean, index, seed=seed)
        for index, seed in ((0, 7), (np.int64(0), np.int64(7)), (2, 7), (0, 8))
    )
    assert first.shape == clean.shape
    np.testing.assert_array_equal(first, again)
    assert not np.any(np.all(first == [third, other], axis=(1, 2, 3)))
    held = evaluation.corrupted_as(corruptors.hold(4), clean, 0, seed=7)
    np.testing.assert_array_equal(held, np.repeat(clean[:, ::4], 4, axis=1))


def test_files_are_measured_by_what_is_asked_for_too():
    files = {"a": np.sin(0.1 * np.arange(500))}
    hold = evaluation.spectral_measures(4)
    found = evaluation.score_files(
        {"quieter": lambda x: x / 10}, files, lambda x, seed: x, seed=1, measures=hold
    )["quieter"]
    assert set(found) == {"snr_db", "si_sdr_db", "lsd_below", "lsd_above"}
    assert found["si_sdr_db"][0] > 100  # a scale is no distortion
    assert found["snr_db"][0] < 1
    assert found["lsd_below"][0] > found["lsd_above"][0]  # that is where the sinusoid is


def test_a_table_is_sorted_by_its_first_column_and_leaves_gaps_where_nothing_was_measured():
    scores = {"good": {"gain": 2.5, "x": 1}, "limit": {"gain": 9.0}, "bad": {"gain": -2.5, "x": 0}}
    columns = {"gain": ("gain, dB", ".1f"), "y": ("measured by none", ".1f"), "x": ("x", "d")}
    text = evaluation.table(scores, columns)
    assert text.splitlines() == [
        "| method | gain, dB | x |",
        "|:---|---:|---:|",
        "| bad | −2.5 | 0 |",
        "| good | 2.5 | 1 |",
        "| limit | 9.0 |  |",
    ]
    text = evaluation.table(scores, columns, heading="change", best_last=False)
    assert [line.split()[1] for line in text.splitlines()[2:]] == list(scores)
    assert text.startswith("| change |")


def test_the_seam_ratio_finds_an_error_at_the_seams_and_only_there():
    random = np.random.default_rng(0)
    clean = random.normal(size=960) * (np.arange(960) > 500)  # no two places are alike

    def seamless(signal):
        return 1.1 * signal

    def worse_at_seams(signal):
        return np.where((np.arange(len(signal)) + 4) % 96 < 8, 1.2, 1.1) * signal

    methods = {"even": seamless, "worse": worse_at_seams}
    found = evaluation.seams(methods, clean, clean, 96, whole=1.1 * clean, width=8)
    level = 0.1 * np.sqrt(np.mean(clean**2))
    assert found["even"]["seam_ratio"] == pytest.approx(1)
    np.testing.assert_allclose(found["even"]["by_distance"], [level] * 6)
    assert found["even"]["difference"] == 0
    assert 0.05 < found["worse"]["difference"] <= 0.1 * np.abs(clean).max() + 1e-9
    # Of the 8 samples next to a seam on either side, 4 are twice as wrong.
    assert found["worse"]["seam_ratio"] == pytest.approx((4 + 1) / 2, rel=0.1)
    np.testing.assert_allclose(found["worse"]["by_distance"][1:], [level] * 5)


@pytest.mark.parametrize("frame_length", [100, 16, 40])
def test_the_distances_from_a_seam_need_whole_groups_and_more_than_one(frame_length):
    same = {"same": lambda x: x}
    with pytest.raises(ValueError, match=f"^frame_length .*16.* {frame_length}$"):
        evaluation.seams(same, np.zeros(200), np.zeros(200), frame_length, whole=np.zeros(200))


def test_files_are_summed_up_by_mean_spread_and_worst():
    values = {"snr_db": np.array([1.0, 3.0]), "si_sdr_db": np.array([5.0, 7.0])}
    found = evaluation.per_file({"x": values})
    assert found == {"x": {"snr_db": 2, "si_sdr_db": 6, "spread_db": 1, "worst_db": 1}}


def test_the_worst_waveforms_are_found_by_snr_not_by_error():
    clean = np.array([[10.0, 0.0], [1.0, 0.0], [0.1, 0.0], [0.2, 0.0]])
    estimate = clean + np.array([[0.5, 0.0], [0.1, 0.0], [0.05, 0.0], [0.005, 0.0]])
    found = evaluation.worst(clean, estimate)
    assert found == {"worst": 2, "second worst": 1, "third worst": 0, "median": 0}


def test_seeds_are_one_row_with_mean_and_spread():
    seeds = [lambda x: x - 0.09, lambda x: x - 0.099]
    row = evaluation.score({"net": seeds}, CORRUPTED, CLEAN)["net"]
    assert row["gain_db"] == pytest.approx(30)
    assert row["gain_db_spread"] == pytest.approx(10 * 2**0.5)
    alone = evaluation.score({"net": seeds[:1]}, CORRUPTED, CLEAN)["net"]
    assert alone["gain_db"] == pytest.approx(20)
    assert "gain_db_spread" not in alone


def test_groups_are_averaged_in_the_order_of_their_labels():
    values, groups = np.array([5.0, 1.0, 3.0, 7.0]), np.array([2, 0, 0, 1])
    np.testing.assert_array_equal(evaluation.group_means(values, groups), [2.0, 7.0, 5.0])


def test_where_the_limit_is_nothing_the_distance_is_infinite():
    clean = np.ones((3, 8, 1))
    score = evaluation.score({"off": lambda x: x + 0.1}, clean, clean, limit=0.0)["off"]
    assert score["to_limit_db"] == np.inf
