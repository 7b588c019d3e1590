import os

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recon import audio


@pytest.fixture
def folder(tmp_path):
    time = np.arange(400) / 8_000
    tone = 0.5 * np.sin(2 * np.pi * 500 * time)
    soundfile.write(tmp_path / "mono.wav", tone, 8_000)
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "deep" / "stereo.flac", np.stack([tone, 0 * tone], axis=1), 8_000)
    return tmp_path


def test_recordings_come_as_mono_at_full_scale(folder, capsys):
    recordings, sample_rate = audio.load(folder)
    assert list(recordings) == ["deep/stereo.flac", "mono.wav"]
    assert sample_rate == 8_000
    for samples in recordings.values():
        assert samples.shape == (400,)
        assert samples.dtype == np.float32
        assert np.abs(samples).max() == 1
    np.testing.assert_allclose(recordings["mono.wav"], recordings["deep/stereo.flac"], atol=1e-3)
    assert capsys.readouterr().out == ""


def test_what_is_no_audio_and_what_is_silent_is_skipped_with_the_reason(folder, capsys):
    for name in ("notes.txt", "other.txt", "third.txt"):  # said in one line
        (folder / name).write_text("not audio")
    soundfile.write(folder / "silent.wav", np.zeros(100), 8_000)
    soundfile.write(folder / "constant.wav", np.full(100, 0.3), 8_000)
    dither = np.random.default_rng(0).integers(-1, 2, 100) / 2**15
    soundfile.write(folder / "dither.wav", dither, 8_000)
    opposite = np.stack([np.sin(np.arange(100)), -np.sin(np.arange(100))], axis=1)
    soundfile.write(folder / "opposite.wav", opposite / 2, 8_000)
    soundfile.write(folder / "short.wav", np.ones(audio.SHORTEST - 1) / 2, 8_000)
    soundfile.write(folder / "nothing.wav", np.zeros(0), 8_000)
    soundfile.write(folder / "a broken.wav", np.array([1.0, np.nan]), 8_000, subtype="FLOAT")
    recordings, _ = audio.load(folder)
    assert list(recordings) == ["deep/stereo.flac", "mono.wav"]
    assert np.abs(recordings["deep/stereo.flac"]).max() == 1
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 8
    assert sum(line.endswith("; and 2 more like it") for line in said) == 1
    for name, why in {
        "notes.txt": "must be a file to read",
        "nothing.wav": "must hold at least one sample",
        "a broken.wav": "must be finite",
        "silent.wav": "must not be silent",
        "constant.wav": "must not be silent",
        "dither.wav": "must not be silent",
        "opposite.wav": "must not be silent",
        "short.wav": "must hold at least 32 samples at 8000 Hz, got 31",
    }.items():
        assert any(x.startswith(f"skipped: input {why}") and name in x for x in said), (name, said)


def test_a_folder_without_usable_recordings_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not audio")
    with pytest.raises(ValueError, match="^folder must hold at least one usable recording, got"):
        audio.load(tmp_path)


@pytest.mark.parametrize("folder", [None, 3, "", "\0", "nowhere"])
def test_what_is_no_folder_is_refused(folder):
    with pytest.raises(ValueError, match="^folder must be a folder, got "):
        audio.load(folder)


def test_links_are_followed_and_nothing_is_read_twice(
    folder, tmp_path_factory, monkeypatch, capsys
):
    beside = tmp_path_factory.mktemp("beside")
    (beside / "album").mkdir()
    tone = np.sin(np.arange(400))
    for name in ("song.wav", "album/take.wav"):
        soundfile.write(beside / name, tone, 8_000)
    (folder / "a").symlink_to(beside)
    (folder / "a link.wav").symlink_to("mono.wav")  # reads before what it leads to
    (folder / "b").symlink_to("deep")
    (folder / "c").symlink_to(beside / "album")
    (folder / "one.wav").symlink_to(beside / "song.wav")
    (folder / "here").symlink_to(folder)
    (folder / "deep" / "up").symlink_to("..")
    (folder / "deep" / "root").symlink_to("/")
    (beside / "album" / "back").symlink_to(beside)
    (beside / "album" / "round").symlink_to(folder)
    recordings, _ = audio.load(folder)
    assert list(recordings) == ["a/album/take.wav", "a link.wav", "b/stereo.flac", "one.wav"]
    assert capsys.readouterr().out == ""
    monkeypatch.chdir(folder)
    assert list(audio.load(".")[0]) == list(audio.load(folder / "here")[0]) == list(recordings)


def test_links_that_lead_nowhere_and_locked_folders_are_said(folder, monkeypatch, capsys):
    (folder / "gone.wav").symlink_to("nothing.wav")
    (folder / "self.wav").symlink_to("self.wav")
    (folder / "locked").mkdir()
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert len(audio.load(folder)[0]) == 2
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"skipped: input must be a folder to read, got '{folder}/locked': Permission denied",
        f"skipped: input must be an audio file, got '{folder}/gone.wav': nothing there",
        f"skipped: input must be an audio file, got '{folder}/self.wav': nothing there",
    ]


def test_names_of_any_bytes_are_loaded_and_split(folder):
    for name in (b"\xff.wav", "é 音.wav".encode(), b"a\nb.wav"):
        (folder / os.fsdecode(name)).write_bytes((folder / "mono.wav").read_bytes())
    recordings, _ = audio.load(folder)
    assert len(recordings) == 5
    assert sum(map(len, audio.split(recordings))) == 5


def test_recordings_that_were_cut_short_are_loaded_on_request(folder, capsys):
    whole = (folder / "mono.wav").read_bytes()
    (folder / "mono.wav").write_bytes(whole[:444])
    assert list(audio.load(folder)[0]) == ["deep/stereo.flac"]
    said = "skipped: input must be complete, or partial=True, got "
    assert capsys.readouterr().out.startswith(said)
    assert len(audio.load(folder, partial=True)[0]["mono.wav"]) == 200


def test_recordings_of_another_rate_are_converted_to_the_most_frequent_one(folder, capsys):
    tone = np.sin(2 * np.pi * 500 * np.arange(44_100) / 44_100)
    soundfile.write(folder / "other.wav", tone, 44_100)
    recordings, sample_rate = audio.load(folder)
    assert sample_rate == 8_000
    assert recordings["other.wav"].shape == (8_000,)
    expected = np.sin(2 * np.pi * 500 * np.arange(8_000) / 8_000)
    found = recordings["other.wav"][100:-100]  # its ends ring, and the peak with them
    found = found / found.max()
    np.testing.assert_allclose(found, expected[100:-100] / expected.max(), atol=1e-3)
    said = capsys.readouterr().out
    assert said == "converted from 44100 to 8000 Hz: 'other.wav'\n"


def test_the_digits_rule_keeps_index_0_to_4_for_testing():
    names = [f"{digit}_anna_{index}.wav" for digit in range(3) for index in range(50)]
    training, validation, test = audio.split(dict.fromkeys(names))
    assert set(test) == {name for name in names if int(name[:-4].split("_")[-1]) < 5}
    assert len(validation) == 15
    assert set(training) | set(validation) | set(test) == set(names)
    assert len(training) + len(validation) + len(test) == len(names)


def test_a_rate_that_is_asked_for_is_the_rate_of_all(folder, capsys):
    recordings, sample_rate = audio.load(folder, sample_rate=4_000)
    assert sample_rate == 4_000
    assert {len(samples) for samples in recordings.values()} == {200}
    assert capsys.readouterr().out == ""


def test_test_files_may_be_like_any_of_several_patterns():
    names = ["a/p1_1.wav", "a/p1_2.wav", "b/p2_1.wav", "b/p2_2.wav", "c/p3_1.wav", "c/p3_2.wav"]
    _, _, test = audio.split(dict.fromkeys(names), test=["p1_*", "p3_2.*"])
    assert list(test) == ["a/p1_1.wav", "a/p1_2.wav", "c/p3_2.wav"]


def test_a_pattern_with_a_slash_holds_out_a_folder():
    names = ["anna/1/x.wav", "anna/y.wav", "ben/x.wav", "ben/y.wav"]
    assert list(audio.split(dict.fromkeys(names), test="anna/*")[2]) == names[:2]


@pytest.mark.parametrize("sample_rate", [0, -8_000, "8k"])
def test_a_rate_that_is_none_is_refused(folder, sample_rate):
    rule = f"^sample_rate must be a whole number .*got {sample_rate!r}$"
    with pytest.raises(ValueError, match=rule):
        audio.load(folder, sample_rate=sample_rate)


@pytest.mark.parametrize("others", [2, 3, 5, 20])
def test_no_recording_is_in_two_parts_however_few_are_left_for_training(others):
    names = [f"w_{i}.wav" for i in range(90)] + [f"x_{i}.wav" for i in range(others)]
    parts = audio.split(dict.fromkeys(names), test="w_*")
    assert set(parts[2]) == set(names[:90])
    assert all(parts)
    assert sorted(name for part in parts for name in part) == sorted(names)


@pytest.mark.parametrize("test", ["z_*", ["test/*"], "*"])
def test_a_pattern_that_cannot_part_the_recordings_is_refused(test):
    with pytest.raises(ValueError, match="^test must match some recordings and leave two"):
        audio.split(dict.fromkeys(["a.wav", "b.wav", "c.wav"]), test=test)


@pytest.mark.parametrize("count", [3, 4, 10, 57])
def test_other_folders_are_split_by_name_alone(count):
    names = [f"song {i}.flac" for i in range(count)]
    parts = audio.split(dict.fromkeys(names))
    assert all(parts)
    assert sorted([*parts[0], *parts[1], *parts[2]]) == sorted(names)
    again = audio.split(dict.fromkeys(reversed(names)))
    assert [set(part) for part in parts] == [set(part) for part in again]


def test_two_recordings_are_too_few_to_split():
    with pytest.raises(ValueError, match="^recordings must be at least 3 to split, got 2"):
        audio.split({"a": None, "b": None})
    for wrong in (["a", "b", "c"], {1: None, 2: None, 3: None}, None):
        with pytest.raises(ValueError, match="^recordings must be {name: value}, got "):
            audio.split(wrong)


def test_channels_are_averaged(tmp_path):
    left, right = np.linspace(0, 0.5, 64), np.linspace(0.5, 0, 64) ** 2
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 8_000, subtype="FLOAT")
    samples = audio.load(tmp_path)[0]["a.wav"]
    mean = (left + right) / 2
    np.testing.assert_allclose(samples, mean / np.abs(mean).max(), atol=1e-6)


@pytest.fixture
def source(folder):
    with audio.reading(folder / "mono.wav") as file:
        yield file


BEYOND = np.array([[0.5], [1.5], [-1.5], [3.0]] * 500)


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "PCM_16", "PCM_U8", "FLOAT"])
def test_what_exceeds_full_scale_is_clipped_unless_the_format_holds_it(source, folder, subtype):
    with audio.writing(folder / "new.wav", source, subtype=subtype) as file:
        audio.write(file, BEYOND[:400])
    found = soundfile.read(folder / "new.wav", always_2d=True)[0]
    expected = BEYOND[:400] if subtype in audio.UNBOUNDED else BEYOND[:400].clip(-1, 1)
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM"])
def test_what_exceeds_full_scale_does_not_come_back_as_its_opposite(tmp_path, subtype):
    soundfile.write(tmp_path / "old.wav", np.zeros(8_000), 8_000, subtype="PCM_16")
    tone = 1.4 * np.sin(2 * np.pi * 300 * np.arange(8_000) / 8_000)
    new = tmp_path / "new.wav"
    with (
        audio.reading(tmp_path / "old.wav") as old,
        audio.writing(new, old, subtype=subtype) as file,
    ):
        assert audio.write(file, tone[:, None]) == np.sum(np.abs(tone) > 1)
    found = soundfile.read(new)[0][: len(tone)]
    assert np.corrcoef(found, tone.clip(-1, 1))[0, 1] > 0.95


def test_what_is_no_recording_and_what_are_no_samples_is_said(source, folder):
    with soundfile.SoundFile(folder / "mono.wav") as other:
        for wrong in (None, other):
            for function in (audio.extent, lambda file: audio.blocks(file, 9)):
                with pytest.raises(ValueError, match="^file must be what `reading` yields"):
                    function(wrong)
    with pytest.raises(ValueError, match="^target must be an open recording"):
        audio.write(None, np.zeros((1, 1)))
    with pytest.raises(ValueError, match="^source must be an open recording"):
        list(audio.lost(None, folder / "mono.wav"))
    with audio.writing(folder / "new.wav", source) as file:
        for wrong in (np.full((400, 1), np.nan), np.zeros(400), None):
            with pytest.raises(ValueError, match="^block must be"):
                audio.write(file, wrong)
        audio.write(file, np.zeros((400, 1)))


def test_two_recordings_can_be_written_at_once(source, folder):
    with audio.writing(folder / "a.wav", source) as a, audio.writing(folder / "b.wav", source) as b:
        for file, level in ((a, 0.25), (b, 0.5)):
            audio.write(file, np.full((400, 1), level))
    assert [soundfile.read(folder / f"{name}.wav")[0].max() for name in "ab"] == [0.25, 0.5]


@pytest.mark.parametrize("error", [TypeError("a fault"), AssertionError("a fault")])
def test_a_fault_of_the_caller_is_not_blamed_on_the_file(source, folder, error):
    with pytest.raises(type(error), match="^a fault$"), audio.writing(folder / "a.wav", source):
        raise error
    assert not [*folder.glob("*.partial*"), *folder.glob("a.wav")]


def test_a_name_that_no_file_can_have_is_one_error(source, folder):
    name = folder / ("a" * 300 + ".wav")
    for opened, rule in (
        (audio.reading(name), "^input must be an audio file, got .*: nothing there$"),
        (audio.writing(name, source), "^output must be a file to write, got .* too long"),
    ):
        with pytest.raises(ValueError, match=rule), opened:
            pass


def readable(path):
    """Every sample of a file, or nothing where it is refused in one line."""
    try:
        with audio.reading(path) as file:
            return np.concatenate(list(audio.blocks(file, 4_096)))
    except ValueError as error:
        said = str(error)
    assert "\n" not in said
    assert str(path) in said
    return None


anything = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(content=st.binary(max_size=500), magic=st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS"]))
@anything
def test_random_bytes_are_audio_or_one_error(content, magic, tmp_path):
    path = tmp_path / "any.wav"
    path.write_bytes(magic + content)
    readable(path)


@given(data=st.data(), subtype=st.sampled_from(["PCM_16", "PCM_24", "FLOAT", "IMA_ADPCM"]))
@anything
def test_a_wav_file_with_wrong_bytes_is_audio_or_one_error(data, subtype, tmp_path):
    path = tmp_path / "bent.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 300).reshape(150, 2), 8_000, subtype=subtype)
    content = bytearray(path.read_bytes())
    wrong = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, byte in data.draw(st.lists(wrong, min_size=1, max_size=8)):
        content[place if place % 2 else place % 60] = byte  # every other one into the header
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    samples = readable(path)
    assert samples is None or (samples.ndim == 2 and np.isfinite(samples).all())
