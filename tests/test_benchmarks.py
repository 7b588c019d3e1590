"""The benchmarks that a reader would point at another corpus."""

import json

import numpy as np
import pytest
import soundfile
import speech
from benchmarks import super_resolution
from scipy import signal

from recon import signals


@pytest.fixture
def corpus(tmp_path):
    """A folder laid out as the VCTK corpus is: one folder per speaker, 48 kHz, mono."""
    for speaker in ("p225", "p226", "p376"):
        folder = tmp_path / "wav48" / speaker
        folder.mkdir(parents=True)
        sounds = signals.notes(6, 12_000, 48_000, (int(speaker[1:]), 0)).numpy()
        for number, samples in enumerate(sounds, 1):
            soundfile.write(folder / f"{speaker}_{number:03d}.wav", samples, 48_000)
    return tmp_path / "wav48"


@pytest.mark.parametrize(
    ("folder", "patterns", "files"),
    [("p225", ["p225_005.wav", "p225_006.wav"], [3, 1, 2]), ("", ["p376_*"], [10, 2, 6])],
)
def test_the_published_comparison_runs_on_a_corpus_like_theirs(
    corpus, folder, patterns, files, tmp_path, monkeypatch
):
    monkeypatch.setattr(speech, "VALIDATION_CROPS", 8)
    monkeypatch.setattr(speech, "BATCH_SIZE", 2)
    path = tmp_path / "results.json"
    asked = ["--sample-rate", "16000", "--ratios", "2", "--steps", "20", "--results", str(path)]
    super_resolution.main([str(corpus / folder), "a title", "--test", *patterns, *asked])
    rows = json.loads(path.read_text())["a title"]
    assert rows["files"] == files
    assert rows["sample_rate"] == 16_000
    for protocol in ("no low-pass", "low-pass"):
        scores = rows[protocol]["2"]["scores"]
        assert {"step-hold", "cubic spline", "network"} <= set(scores)
        assert scores["cubic spline"]["snr_db"] > scores["step-hold"]["snr_db"]
        assert all(np.isfinite(row["lsd"]) for row in scores.values())


def test_a_pattern_that_no_file_is_like_is_refused(corpus, capsys):
    with pytest.raises(SystemExit):
        super_resolution.main([str(corpus), "a title", "--test", "q*"])
    assert "--test must match a recording, got ['q*']" in capsys.readouterr().err


@pytest.mark.parametrize("ratio", [2, 4, 6])
def test_the_low_pass_is_that_of_decimation(ratio):
    clean = np.random.default_rng(0).normal(size=(1, 6_000)).astype(np.float32)
    held = super_resolution.low_passed_hold(ratio)(clean, None).numpy()
    expected = signal.decimate(clean.astype(np.float64), ratio)
    inner = slice(600 // ratio, 5_400 // ratio)
    np.testing.assert_allclose(held[0, ::ratio][inner], expected[0, inner], atol=1e-4)
