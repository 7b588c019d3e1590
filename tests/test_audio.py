"""Folders of recordings to train on, and files that appear complete or not at all."""

from contextlib import suppress

import numpy as np
import pytest
import soundfile

from recon import audio

TONE = 0.5 * np.sin(2 * np.pi * 500 * np.arange(400) / 8_000)


@pytest.fixture
def folder(tmp_path):
    soundfile.write(tmp_path / "mono.wav", TONE, 8_000, subtype="FLOAT")
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "deep" / "stereo.flac", np.stack([TONE, 0 * TONE], axis=1), 8_000)
    return tmp_path


def test_recordings_come_as_mono_at_full_scale(folder, capsys):
    recordings, sample_rate = audio.load(folder)
    assert list(recordings) == ["deep/stereo.flac", "mono.wav"]
    assert sample_rate == 8_000
    for samples in recordings.values():
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples, TONE / TONE.max(), atol=1e-4)
    assert capsys.readouterr().out == ""


def test_what_is_no_recording_is_skipped(folder, capsys):
    """Each with a line; also what a reader would hear nothing in."""
    (folder / "notes.txt").write_text("not audio")
    for whole, cut in (("mono.wav", "cut.wav"), ("deep/stereo.flac", "cut.flac")):
        (folder / cut).write_bytes((folder / whole).read_bytes()[:-300])
    dither = np.random.default_rng(0).integers(-1, 2, 100) / 2**15
    silent = {"silent.wav": np.zeros(100), "dither.wav": dither, "empty.wav": np.zeros(0)}
    silent["opposite.wav"] = np.stack([TONE, -TONE], axis=1)
    silent["broken.wav"] = np.array([1.0, np.nan])
    for name, samples in silent.items():
        soundfile.write(folder / name, samples, 8_000, subtype="FLOAT")
    assert list(audio.load(folder)[0]) == ["deep/stereo.flac", "mono.wav"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(silent) + 3
    for name in (*silent, "notes.txt", "cut.wav", "cut.flac"):
        assert sum(line.startswith("skipped: ") and name in line for line in lines) == 1


@pytest.mark.parametrize("asked", [None, 8_000, 4_000])
def test_all_recordings_get_one_rate(folder, asked, capsys):
    tone = np.sin(2 * np.pi * 500 * np.arange(44_100) / 44_100)
    soundfile.write(folder / "other.wav", tone, 44_100)
    recordings, sample_rate = audio.load(folder, sample_rate=asked)
    assert sample_rate == (asked or 8_000)  # that of most
    assert "from 44100 to" in capsys.readouterr().out
    assert len(recordings["mono.wav"]) == 400 * sample_rate // 8_000
    assert len(recordings["other.wav"]) == sample_rate
    inner = slice(100, -100)  # ends ring
    expected = np.sin(2 * np.pi * 500 * np.arange(sample_rate) / sample_rate)[inner]
    np.testing.assert_allclose(recordings["other.wav"][inner], expected, atol=2e-3)


def test_a_folder_without_recordings_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not audio")
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="^folder must .* got "):
            audio.load(path)


@pytest.mark.parametrize("count", [3, 4, 10, 57])
@pytest.mark.parametrize("test", [None, "w_*"])
def test_parts_share_no_file(count, test):
    names = [f"x_{i}.wav" for i in range(count)] + ["w_1.wav", "w_2.wav"]
    parts = audio.split(dict.fromkeys(names), test=test)
    assert all(parts)
    assert sorted(name for part in parts for name in part) == sorted(names)
    if test:
        assert set(parts[2]) == {"w_1.wav", "w_2.wav"}
    again = audio.split(dict.fromkeys(reversed(names)), test=test)
    assert [list(part) for part in again] == [list(part) for part in parts]


@pytest.mark.parametrize(("count", "test"), [(3, "z_*"), (3, "*"), (2, None)])
def test_too_few_recordings_are_not_split(count, test):
    with pytest.raises(ValueError, match="^test must match some .*leave two, got "):
        audio.split({f"{i}.wav": None for i in range(count)}, test=test)


@pytest.mark.parametrize("format", ["wav", "aiff", "flac", "mp3"])
def test_a_recording_that_was_cut_is_refused(format, tmp_path):
    path = tmp_path / f"cut.{format}"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 30_000), 8_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises((ValueError, soundfile.SoundFileError)), audio.reading(path) as file:
        list(audio.blocks(file, 4_096))


@pytest.mark.parametrize("old", [b"precious", None])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_writer_that_fails_changes_nothing(folder, old, error):
    path = folder / "new.wav"
    if old:
        path.write_bytes(old)
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    with (
        suppress(error),
        audio.reading(folder / "mono.wav") as source,
        audio.writing(path, source, overwrite=True) as file,
    ):
        file.write(TONE[:, None])
        raise error
    assert {path: path.read_bytes() for path in folder.glob("*.*")} == before
