"""Restoring files from the command line: what comes out, and what is said about bad input."""

import json
import os
import re
import resource
import shlex
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from keras import layers

import recon
from recon import __main__ as command
from recon import audio, models
from recon.quiet import silence

ROOT = Path(__file__).resolve().parent.parent
CUT = ["wav", "wavex", "rf64", "flac", "ogg", "mp3", "aiff", "w64", "caf", "au", "svx"]
UNFINISHED = ["WAV", "WAVEX", "RF64", "AIFF", "W64", "CAF", "AU", "SVX", "FLAC"]
KERNEL = np.array([0.1, -0.3, 0.5, 0.2, 0.1], np.float32)  # what the network of these tests does


def network(path, kernel=KERNEL, sample_rate=8_000):
    """Save a network that convolves by `kernel`."""
    signal = keras.Input((None, 1))
    x = layers.Conv1D(1, len(kernel), padding="same", use_bias=False)(signal)
    model = models.Network(signal, x, sample_rate=sample_rate)
    model.set_weights([np.reshape(kernel, (-1, 1, 1))])
    model.save(path)
    return str(path)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to work in, with a network and a recording of three blocks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recon, "BLOCK", 10_000)
    network("model.keras")
    soundfile.write("in.wav", noise(13_000, 2), 8_000)
    return tmp_path


def noise(n_samples, channels=1, seed=0):
    return 0.1 * np.random.default_rng(seed).normal(size=(n_samples, channels))


def run(model, *arguments):
    return command.main(["restore", *map(str, arguments), "--network", str(model)])


def assert_refused(capsys, *arguments, says, output="out.wav"):
    """One line that starts with `says` on stderr, status 1, and all files as they were."""
    before = {
        p: p.read_bytes() for p in Path().rglob("*") if p.is_file() and p.stat().st_mode & 256
    }
    assert run(*(arguments or ("model.keras", "in.wav", output))) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"recon: {says}"), err
    assert err.count("\n") == 1
    after = {p: p.read_bytes() for p in Path().rglob("*") if p.is_file() and p.stat().st_mode & 256}
    assert after == before


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("16 bit.wav", {"subtype": "PCM_16"}),
        ("8 bit.wav", {"subtype": "PCM_U8"}),
        ("24 bit.wav", {"subtype": "PCM_24"}),
        ("float.wav", {"subtype": "FLOAT"}),
        ("24 bit.flac", {"subtype": "PCM_24"}),
        ("flac.flac", {}),
        ("ogg.ogg", {}),
        ("aiff.aiff", {}),
        ("α 音 🎵.wav", {}),
        ("deep.w64", {}),
        (os.fsdecode(b"\xff.wav"), {}),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_output_is_the_whole_signals_result_in_the_inputs_form(name, options, channels):
    names = [os.fsencode(name), os.fsencode(f"out {name}")]
    soundfile.write(names[0], noise(13_001, channels), 8_000, **options)
    assert run("model.keras", *map(os.fsdecode, names)) == 0
    before, after = map(soundfile.info, names)
    for part in ("samplerate", "channels", "frames", "format", "subtype"):
        assert getattr(before, part) == getattr(after, part)
    if "ogg" not in name:  # which is lossy
        clean, found = (soundfile.read(x, always_2d=True)[0] for x in names)
        step = {"PCM_U8": 0.51 * 2**-7, "PCM_16": 0.51 * 2**-15}.get(before.subtype, 1e-6)
        for channel in range(channels):
            expected = np.convolve(clean[:, channel], KERNEL[::-1], mode="same")
            np.testing.assert_allclose(found[:, channel], expected, atol=step)


@pytest.mark.parametrize(("n_samples", "channels"), [(9_000, 64), (7, 127), (4_096 + 7, 127)])
def test_many_channels_are_restored_one_by_one(n_samples, channels):
    soundfile.write("many.wav", noise(n_samples, channels), 8_000)
    assert run("model.keras", "many.wav", "out.wav") == 0
    clean, found = (soundfile.read(name)[0][:, -1] for name in ("many.wav", "out.wav"))
    expected = np.convolve(clean, KERNEL[::-1], mode="same")
    np.testing.assert_allclose(found, expected, atol=0.51 * 2**-15)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 100])
def test_the_shortest_files_keep_their_length(n_samples):
    soundfile.write("short.wav", noise(n_samples), 8_000)
    assert run("model.keras", "short.wav", "out.wav") == 0
    assert soundfile.info("out.wav").frames == n_samples


def test_another_sample_rate_is_refused_with_both_rates_named(capsys):
    soundfile.write("in.wav", noise(1_000), 44_100)
    assert_refused(
        capsys, says="sample_rate must be the network's, 8,000 Hz, or resample=True, got 44100 Hz"
    )


@pytest.mark.parametrize("sample_rate", [44_100, 6_000, 48_000])
def test_another_sample_rate_is_converted_there_and_back_on_request(sample_rate):
    network("late.keras", [1.0, 0.0, 0.0])  # by a sample, at its own rate of 8 kHz
    n_samples = 30_011
    time_s = np.arange(n_samples) / sample_rate
    tone, late = (0.4 * np.sin(2 * np.pi * 440 * (time_s - delay)) for delay in (0, 1 / 8_000))
    soundfile.write("tone.wav", tone, sample_rate, subtype="FLOAT")
    assert run("late.keras", "tone.wav", "out.wav", "--resample") == 0
    found, rate = soundfile.read("out.wav")
    assert (len(found), rate) == (n_samples, sample_rate)
    inside = slice(1_000, -1_000)
    np.testing.assert_allclose(found[inside], late[inside], atol=1e-4)  # aligned, no seam


def test_blocks_are_resampled_as_one_signal():
    signal = noise(20_000, 2).astype(np.float32)
    for size in (1, 999, 20_000):
        few = signal[: 50 * size]
        blocks = [few[i : i + size] for i in range(0, len(few), size)]
        whole = np.concatenate(list(audio.resampled([few], 8_000, 11_025, 2)))
        joined = np.concatenate(list(audio.resampled(blocks, 8_000, 11_025, 2)))
        np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_samples_beyond_full_scale_are_counted_and_kept_as_floats_on_request(capsys):
    network("louder.keras", [0.0, 2.0, 0.0])
    soundfile.write("loud.wav", [0.4, -0.6, 0.7, 0.1], 8_000)
    assert run("louder.keras", "loud.wav", "clipped.wav") == 0
    said = "2 samples exceed full scale and were clipped\n"
    assert capsys.readouterr().out == "clipped.wav: 0.0 s restored; " + said
    np.testing.assert_allclose(soundfile.read("clipped.wav")[0], [0.8, -1, 1, 0.2], atol=1e-4)
    assert run("louder.keras", "loud.wav", "kept.wav", "--float") == 0
    assert capsys.readouterr().out.endswith(
        "2 samples exceed full scale and are kept as they are\n"
    )
    np.testing.assert_allclose(soundfile.read("kept.wav")[0], [0.8, -1.2, 1.4, 0.2], atol=1e-4)
    assert soundfile.info("kept.wav").subtype == "FLOAT"


def test_an_existing_output_is_replaced_on_request_only(capsys):
    Path("out.wav").write_bytes(b"precious")
    assert_refused(capsys, says="output must not exist, got 'out.wav'")
    assert run("model.keras", "in.wav", "out.wav", "--overwrite") == 0
    assert soundfile.info("out.wav").frames == 13_000


def test_a_link_stays_one_and_the_mode_of_a_file_stays(capsys):
    Path("real.wav").write_bytes(b"old")
    Path("real.wav").chmod(0o640)
    Path("link.wav").symlink_to("real.wav")
    assert run("model.keras", "in.wav", "link.wav", "--overwrite") == 0
    assert Path("link.wav").is_symlink()
    assert soundfile.info("real.wav").frames == 13_000
    assert Path("real.wav").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "aiff"])
def test_tags_are_kept(format):
    with soundfile.SoundFile(f"tagged.{format}", "w", 8_000, 1) as file:
        file.title, file.artist = "Étude", "Nobody"
        file.write(noise(1_000))
    assert run("model.keras", f"tagged.{format}", f"out.{format}") == 0
    with soundfile.SoundFile(f"out.{format}") as file:
        assert (file.title, file.artist) == ("Étude", "Nobody")


def test_markers_that_are_lost_are_mentioned(capsys):
    cue = struct.pack("<IIII4sIII", 1, 1, 100, 100, b"data", 0, 0, 100)[0:4]
    cue += struct.pack("<II4sIII", 1, 100, b"data", 0, 0, 100)
    content = wav(data=b"ab" * 500) + b"cue " + struct.pack("<I", len(cue)) + cue
    Path("cued.wav").write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    assert run("model.keras", "cued.wav", "out.wav") == 0
    assert capsys.readouterr().out == "out.wav: 0.1 s restored; not kept: cue\n"
    assert run("model.keras", "in.wav", "out2.wav") == 0
    assert "not kept" not in capsys.readouterr().out


def test_what_broadcasters_and_samplers_note_is_mentioned_where_it_is_lost(capsys):
    content = wav(data=b"ab" * 500)
    for name, size in ((b"bext", 602), (b"iXML", 48), (b"smpl", 36)):
        content += name + struct.pack("<I", size) + bytes(size)
    Path("noted.wav").write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    assert run("model.keras", "noted.wav", "out.wav") == 0
    assert "not kept: bext, iXML, smpl\n" in capsys.readouterr().out


def test_which_loudspeaker_a_channel_is_for_is_mentioned_where_it_is_lost(capsys):
    soundfile.write("around.wav", noise(500, 6), 8_000, format="WAVEX")
    content = bytearray(Path("around.wav").read_bytes())
    at = content.find(b"fmt ") + 8 + 20
    content[at : at + 4] = struct.pack("<I", 0x60F)
    Path("around.wav").write_bytes(content)
    assert run("model.keras", "around.wav", "out.wav") == 0
    assert "not kept: Channel Mask : 0x60F\n" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["w64", "au", "aiff"])
def test_tags_that_a_format_does_not_hold_are_mentioned(format, capsys):
    with soundfile.SoundFile("tagged.wav", "w", 8_000, 1) as file:
        file.title, file.genre = "Song", "Blues"
        file.write(noise(1_000))
    assert run("model.keras", "tagged.wav", f"out.{format}") == 0
    lost = "genre" if format == "aiff" else "genre, title"
    assert capsys.readouterr().out == f"out.{format}: 0.1 s restored; not kept: {lost}\n"


def test_a_tag_of_another_alphabet_is_mentioned(capsys):
    with soundfile.SoundFile("tagged.wav", "w", 8_000, 1) as file:
        file.title = "Cafe!"
        file.write(noise(1_000))
    content = Path("tagged.wav").read_bytes().replace(b"Cafe!", "Café!".encode("cp1252"))
    Path("tagged.wav").write_bytes(content)
    assert run("model.keras", "tagged.wav", "out.wav") == 0
    assert "not kept: title\n" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["wav", "flac", "mp3"])
def test_an_empty_tag_stops_nothing(format):
    with soundfile.SoundFile("tagged.mp3", "w", 8_000, 1) as file:
        file.title = "Song"  # and an empty one for all that the format has room for
        file.write(noise(1_000))
    assert run("model.keras", "tagged.mp3", f"out.{format}") == 0
    assert run("model.keras", f"out.{format}", f"again.{format}") == 0


def test_more_than_a_wav_file_holds_becomes_rf64_and_is_known_beforehand(monkeypatch, capsys):
    monkeypatch.setattr(audio, "LARGEST", 10_000)
    assert run("model.keras", "in.wav", "out.wav") == 0
    assert soundfile.info("out.wav").format == "RF64"
    assert soundfile.info("out.wav").frames == 13_000
    capsys.readouterr()
    assert_refused(capsys, output="out.aiff", says="output must be of a format that holds")


def test_pipes_and_devices_are_no_files(capsys):
    os.mkfifo("pipe.wav")
    for name in ("pipe.wav", "/dev/stdin"):
        assert_refused(capsys, "model.keras", name, "out.wav", says="input must be an audio file")
    for name in ("pipe.wav", "/dev/null"):
        assert_refused(capsys, "model.keras", "in.wav", name, says="output must be a file")
    assert_refused(capsys, "model.keras", "-", "out.wav", says="input must be an audio file")
    assert_refused(capsys, "model.keras", "in.wav", "-", says="output must ")


def test_a_format_that_no_one_reads_here_is_said_to_need_converting(capsys):
    Path("song.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(500))
    assert_refused(capsys, "model.keras", "song.m4a", "out.wav", says="input must be a file to rea")
    run("model.keras", "song.m4a", "out.wav")
    assert "ffmpeg" in capsys.readouterr().err


def wav(channels=1, bits=16, data=b"", size=None, riff=None):
    """The bytes of a WAV file, right or wrong."""
    step = channels * bits // 8
    head = struct.pack("<HHIIHH", 1, channels, 8_000, 8_000 * step, step, bits)
    data = struct.pack("<I", len(data) if size is None else size) + data
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + data
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "input must be a file to read, got 'bad.wav': "),
        (wav(), "input must hold at least one sample, got none in 'bad.wav'"),
        (wav() + b"LIST\4\0\0\0abcd", "input must hold at least one sample, got none in 'bad.wav'"),
        (b".snd\0\0\0\x18" + bytes(16), "input must be a file to read, got 'bad.wav': "),
        (
            wav(data=b"ab" * 500, size=2_000),
            "input must be complete, or partial=True, got 'bad.wav', which was cut short",
        ),
        (b"no audio at all", "input must be a file to read, got 'bad.wav': "),
        (wav(channels=0, data=b"ab" * 500), "input must be a file to read, got 'bad.wav': "),
    ],
    ids=["empty", "header only", "no samples", "zeros", "truncated", "text", "zero channels"],
)
def test_files_that_are_no_recordings_are_refused(content, says, capsys):
    Path("bad.wav").write_bytes(content)
    assert_refused(capsys, "model.keras", "bad.wav", "out.wav", says=says)


@pytest.mark.parametrize("format", CUT)
def test_what_was_cut_short_is_restored_as_far_as_it_goes_on_request_only(format, capfd):
    """In one line, whatever a decoder has to say."""
    soundfile.write("whole", noise(32_000), 8_000, format=format)
    whole, content = soundfile.read("whole")[0], Path("whole").read_bytes()
    Path(f"cut.{format}").write_bytes(content[: len(content) // 2])
    names = f"cut.{format}", "out.wav"
    assert_refused(capfd, "model.keras", *names, says="input must be complete, or partial=True, ")
    assert run("model.keras", *names, "--partial") == 0
    found = soundfile.read("out.wav")[0]
    of = "an unknown length" if format == "ogg" else "4.0 s"
    out, err = capfd.readouterr()
    assert out.split(";")[0].strip() == f"out.wav: {len(found) / 8_000:.1f} s of {of} restored"
    assert (out.count("\n"), err) == (1, "")
    assert len(found) > (8_000 if format == "ogg" else 12_000)
    expected = np.convolve(whole[: len(found)], KERNEL[::-1], mode="same")
    np.testing.assert_allclose(found, expected, atol=0.52 * 2**-15)
    assert run("model.keras", "in.wav", "whole.wav", "--partial") == 0
    assert capfd.readouterr().out == "whole.wav: 1.6 s restored\n"


@pytest.mark.parametrize("format", ["flac", "mp3", "wav"])
def test_what_was_cut_short_can_be_read_twice_and_upsampled(format, capfd):
    soundfile.write("whole", noise(30_000, 2), 8_000, format=format)
    content = Path("whole").read_bytes()
    Path("cut").write_bytes(content[: len(content) // 3])
    with audio.reading("cut", partial=True) as file:
        once, twice = (np.concatenate(list(audio.blocks(file, size))) for size in (4_096, 999))
    np.testing.assert_array_equal(once, twice)
    assert command.main(["upsample", "cut", "out.wav", "--factor", "2", "--partial"]) == 0
    assert soundfile.info("out.wav").frames == 2 * len(once)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("format", UNFINISHED)
def test_all_is_read_of_what_a_recorder_left_that_could_not_end_it(format):
    with soundfile.SoundFile("unfinished", "w", 8_000, 1, format=format) as file:
        file.write(noise(8_192))
        file.flush()
        Path("left").write_bytes(Path("unfinished").read_bytes())
    assert run("model.keras", "left", "out.wav") == 0
    clean, found = (soundfile.read(name)[0] for name in ("unfinished", "out.wav"))
    assert len(found) in ((4_096, 8_192) if format == "FLAC" else (8_192,))
    expected = np.convolve(clean[: len(found)], KERNEL[::-1], mode="same")
    np.testing.assert_allclose(found, expected, atol=0.51 * 2**-15)


def test_a_stream_of_flac_does_not_know_its_length():
    soundfile.write("in.flac", noise(13_000), 8_000)
    content = bytearray(Path("in.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    Path("in.flac").write_bytes(content)
    assert run("model.keras", "in.flac", "out.flac") == 0
    assert soundfile.info("out.flac").frames == 13_000


def test_caf_and_rf64_may_say_that_their_size_is_unknown():
    for format, chunk, at in (("CAF", b"data", 4), ("RF64", b"ds64", 16)):
        soundfile.write("in", noise(13_000), 8_000, format=format)
        content = bytearray(Path("in").read_bytes())
        place = content.find(chunk) + at
        content[place : place + 8] = b"\xff" * 8
        Path("in").write_bytes(content)
        assert run("model.keras", "in", "out.wav", "--overwrite") == 0
        assert soundfile.info("out.wav").frames == 13_000


@pytest.mark.parametrize("size", [0, 2**32 - 1, 2**30])  # the last is 5 GiB in 32 bits
def test_more_than_a_header_can_count_is_refused(size):
    content = wav(size=size)
    with open("large.wav", "wb") as file:
        file.write(content)
        file.truncate(len(content) + 5 * 2**30)
    rule = "^input must be of a format that holds 4 GiB or more, "
    with pytest.raises(ValueError, match=rule), audio.reading("large.wav"):
        pass


def test_mp3_becomes_wav(capsys):
    soundfile.write("in.mp3", noise(13_000), 8_000)
    assert run("model.keras", "in.mp3", "out.wav") == 0
    assert capsys.readouterr().out == "out.wav: 1.6 s restored; written as PCM_16\n"
    assert soundfile.info("out.wav").frames == soundfile.info("in.mp3").frames


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "IMA_ADPCM"])
def test_codecs_that_cannot_go_back_are_restored(subtype):
    soundfile.write("old.wav", noise(13_000), 8_000, subtype=subtype)
    assert run("model.keras", "old.wav", "out.flac") == 0
    clean, found = (soundfile.read(name)[0] for name in ("old.wav", "out.flac"))
    expected = np.convolve(clean, KERNEL[::-1], mode="same")
    np.testing.assert_allclose(found, expected, atol=0.51 * 2**-15)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_U8", "ULAW", "ALAW", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_byte_that_makes_an_aiff_file_even_is_no_sample(subtype, channels):
    soundfile.write("in.wav", noise(501, channels), 8_000)
    recon.restore_file("in.wav", "out.aiff", network="model.keras", subtype=subtype)
    content = Path("out.aiff").read_bytes()
    at = content.find(b"COMM") + 10
    assert int.from_bytes(content[at : at + 4], "big") == 501
    clean, found = soundfile.read("in.wav")[0], soundfile.read("out.aiff")[0]
    assert len(found) == len(clean)
    expected = recon.restore(clean, 8_000, network="model.keras")
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize(
    ("output", "rate", "kind"), [("out.paf", 8_000, "PCM_16"), ("out.caf", 8_000, "PCM_24")]
)
def test_a_format_that_does_not_give_back_the_samples_gets_others(output, rate, kind, capsys):
    """PAF of 24 bits adds samples; the test below has ALAC of 24 bits, which changes them."""
    soundfile.write("in.wav", noise(501), rate, subtype="PCM_24")
    assert run("model.keras", "in.wav", output) == 0
    assert soundfile.info(output).subtype == kind
    assert soundfile.info(output).frames == 501


def test_alac_of_24_bits_is_not_written():
    """libsndfile's encoder garbles the last samples."""
    soundfile.write("in.caf", noise(4_116, 2), 8_000, subtype="ALAC_24")
    assert run("model.keras", "in.caf", "out.caf") == 0
    assert soundfile.info("out.caf").subtype == "PCM_16"


@pytest.mark.parametrize(
    ("output", "rate"), [("o.xi", 8_000), ("o.htk", 44_100), ("o.wve", 11_025)]
)
def test_a_format_that_changes_the_rate_is_refused(output, rate, capsys):
    network("model.keras", sample_rate=rate)
    soundfile.write("in.wav", noise(501), rate)
    assert_refused(capsys, output=output, says="output must be of a format that holds 1 channel of")


@pytest.mark.parametrize(("output", "channels"), [("out.mp3", 3), ("out.flac", 9), ("out.htk", 2)])
def test_more_channels_than_a_format_has_are_named(output, channels, capsys):
    soundfile.write("in.wav", noise(501, channels), 8_000)
    says = f"output must be of a format that holds {channels} channels of"
    assert_refused(capsys, output=output, says=says)


def test_opus_by_name_is_opus():
    assert run("model.keras", "in.wav", "out.opus") == 0
    assert soundfile.info("out.opus").subtype == "OPUS"


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_all_is_read_of_an_mp3_that_does_not_say_its_length(mode):
    """Half loud, half silent: a guess from its first bytes is wrong."""
    sound = np.concatenate([noise(40_000), np.zeros((80_000, 1))])
    with soundfile.SoundFile(
        "said.mp3", "w", 8_000, 1, bitrate_mode=mode, compression_level=0.5
    ) as file:
        file.write(sound)
    content = Path("said.mp3").read_bytes()
    place = max(content.find(b"Xing"), content.find(b"Info"))
    frame = content.rfind(b"\xff", 0, place)  # the frame that says it, up to the next one
    content = content[content.find(content[frame : frame + 2], place) :]
    Path("in.mp3").write_bytes(content)
    assert run("model.keras", "in.mp3", "out.wav") == 0
    assert 120_000 <= soundfile.info("out.wav").frames < 123_000
    assert run("model.keras", "in.mp3", "part.wav", "--partial") == 0
    assert soundfile.info("part.wav").frames == soundfile.info("out.wav").frames


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_two_files_laid_end_to_end_are_not_taken_for_the_first(suffix, capsys):
    for channels, rate in (1, 8_000), (2, 44_100):
        soundfile.write("one", noise(40_000 * channels).reshape(-1, channels), rate, format=suffix)
        content = Path("one").read_bytes()
        Path(f"in.{suffix}").write_bytes(2 * content)
        says = "input must be complete, or partial=True, got 'in."
        assert_refused(capsys, "model.keras", f"in.{suffix}", "out.wav", says=says)
        Path(f"in.{suffix}").write_bytes(content)
        with audio.reading(f"in.{suffix}") as file:
            assert file.frames == 40_000


def test_a_cover_is_not_taken_for_another_recording():
    cover = b"\xff\xfe\x00\x16Document Information"  # a comment in a JPEG
    soundfile.write("plain.mp3", noise(40_000), 8_000)
    soundfile.write("plain.flac", noise(40_000), 8_000)
    size = bytes([0, 0, 0, 10 + len(cover)])
    tag = b"ID3\x03\0\0" + size + b"PRIV" + bytes([0, 0, 0, len(cover), 0, 0]) + cover
    Path("in.mp3").write_bytes(tag + Path("plain.mp3").read_bytes())
    content = Path("plain.flac").read_bytes()  # a block for applications behind the first one
    block = bytes([2, 0, 0, 4 + len(cover)]) + b"test" + cover
    Path("in.flac").write_bytes(content[:42] + block + content[42:])
    for suffix in ("mp3", "flac"):
        assert run("model.keras", f"in.{suffix}", f"out {suffix}.wav") == 0
        assert soundfile.info(f"out {suffix}.wav").frames == 40_000


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("two", "holds several recordings"),
        ("bit", "is damaged"),
        ("page", "is damaged"),
        ("end", "was cut short"),
        ("tail", "was cut short"),
    ],
)
def test_an_ogg_file_that_is_not_one_whole_recording_is_refused(subtype, fault, says, capsys):
    soundfile.write("in.ogg", noise(80_000), 8_000, subtype=subtype)
    content = bytearray(Path("in.ogg").read_bytes())
    pages = [m.start() for m in re.finditer(b"OggS", bytes(content))]
    if fault == "two":
        content = content * 2
    elif fault == "bit":
        content[pages[3] + 100] ^= 4
    elif fault == "page":
        del content[pages[3] : pages[4]]
    elif fault == "end":
        del content[pages[-1] :]
    else:
        del content[-10:]
    Path("in.ogg").write_bytes(content)
    says = f"input must be complete, or partial=True, got 'in.ogg', which {says}"
    assert_refused(capsys, "model.keras", "in.ogg", "out.wav", says=says)


def test_a_tag_before_an_ogg_file_is_no_damage():
    soundfile.write("in.ogg", noise(8_000), 8_000)
    content = b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + Path("in.ogg").read_bytes()
    Path("tagged.ogg").write_bytes(content)
    assert audio._ogg_fault(Path("tagged.ogg")) == ""


@pytest.mark.parametrize("channels", [1, 2])
def test_24_bits_in_4_bytes_are_not_taken_for_noise(channels, capsys):
    content = bytearray(wav(channels, bits=24, data=bytes(4_000)))
    content[28:34] = struct.pack("<IH", 32_000 * channels, 4 * channels)
    Path("odd.wav").write_bytes(content)
    assert_refused(capsys, "model.keras", "odd.wav", "out.wav", says="input must agree with its he")


@pytest.mark.parametrize(
    ("size", "riff"),
    [
        (None, 1044),  # the file's size, not that less 8
        (None, 0),
        (0, 0),
        (0, 8),
        (0, 36),
        (0, 1036),
        (0, 2**32 - 1),
        (2**32 - 1, 2**32 - 1),
        (0x7FFFF000, 0x7FFFF024),  # SoX to a pipe
        (0x7FFFEFFF, 0x7FFFF023),  # of frames of three bytes
        (0x80000000, 0x80000024),  # arecord to a pipe
    ],
)
def test_only_the_data_count_and_a_size_that_is_unknown_means_all_that_follows(size, riff):
    Path("in.wav").write_bytes(wav(data=b"ab" * 500, size=size, riff=riff))
    assert run("model.keras", "in.wav", "out.wav") == 0
    assert soundfile.info("out.wav").frames == 500


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused_with_their_place(value, capsys):
    signal = noise(13_000, 2)
    signal[12_345, 1] = value
    soundfile.write("in.wav", signal, 8_000, subtype="FLOAT")
    place = "sample 12345 of channel 1 in 'in.wav'"
    says = f"input must be finite, at most 1e+30 in size, got {value} at {place}\n"
    assert_refused(capsys, says=says)


def test_a_file_without_a_header_is_refused(capsys):
    Path("bare.raw").write_bytes(b"ab" * 500)
    says = "input must be a file to read, got 'bare.raw': "
    assert_refused(capsys, "model.keras", "bare.raw", "out.wav", says=says)


def test_paths_that_lead_nowhere_are_refused(capsys):
    Path("sub").mkdir()
    refused = [
        (("model.keras", "none.wav", "out.wav"), "input must be an audio file, got 'none.wav'"),
        (("model.keras", "sub", "out.wav"), "input must be an audio file, got 'sub': a folder"),
        (
            ("model.keras", "in.wav", "no/out.wav"),
            "output must lie in a folder that exists, got 'no/out",
        ),
        (("model.keras", "in.wav", "/proc/out.wav"), "output must be a file to write, got '/proc/"),
        (("model.keras", "in.wav", "in.wav"), "output must not be the input, got 'in.wav'"),
        (("model.keras", "in.wav", "sub/../in.wav", "--overwrite"), "output must not be the input"),
        (("model.keras", "in.wav", "out.txt"), "output must end in the suffix of an audio format"),
        (("model.keras", "in.wav", "out"), "output must end in the suffix of an audio format"),
        (("model.keras", "in.wav", "out.raw"), "output must end in the suffix of an audio format"),
        (("model.keras", "in.wav", "out.flac", "--float"), "output must be of a format that holds"),
        (
            ("none.keras", "in.wav", "out.wav"),
            "network must be a .keras file, got 'none.keras', which",
        ),
        (
            ("in.wav", "in.wav", "out.wav"),
            "network must be a .keras file or one of ",
        ),
        (("sub", "in.wav", "out.wav"), "network must be a .keras file or one of "),
    ]
    for arguments, says in refused:
        assert_refused(capsys, *arguments, says=says)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(capsys):
    Path("locked").mkdir(mode=0o500)
    says = "output must be a file to write, got 'locked/out.wav'"
    assert_refused(capsys, "model.keras", "in.wav", "locked/out.wav", says=says)


def test_damaged_and_foreign_models_are_refused(capsys):
    content = Path("model.keras").read_bytes()
    Path("cut.keras").write_bytes(content[: len(content) // 2])
    middle = len(content) // 2
    Path("bent.keras").write_bytes(content[:middle] + b"\xff" * 99 + content[middle + 99 :])
    signal = keras.Input((None, 1))
    pooled = layers.GlobalAveragePooling1D(keepdims=True, name="pooled")(signal)
    keras.Model(signal, layers.Add()([signal, pooled])).save("global.keras")
    keras.Model(signal, layers.ReLU()(signal)).save("rateless.keras")
    for name, says in {
        "cut": "network must be a .keras file, got 'cut.keras'",
        "bent": "network must be one that can be loaded, got 'bent.keras'",
        "global": "network must be one that can be loaded, got 'global.keras': network must be "
        "local in time, got the layer 'pooled' of GlobalAveragePooling1D",
        "rateless": "network must be for recordings",
    }.items():
        assert_refused(capsys, f"{name}.keras", "in.wav", "out.wav", says=says)


def test_a_network_that_is_not_for_recordings_is_refused(capsys):
    says = "network must be for recordings, got one for sinusoids in hiss and impulses"
    assert_refused(capsys, "noise_reduction", "in.wav", "out.wav", says=says)


def test_a_network_that_diverged_writes_nothing(capsys):
    network("nan.keras", [np.nan])
    assert_refused(capsys, "nan.keras", "in.wav", "out.wav", says="model(...) must be finite")


def test_a_model_file_cannot_run_code(capsys):
    signal = keras.Input((None, 1))
    harm = layers.Lambda(lambda x: open("harm", "w").close() or x)
    keras.Model(signal, harm(signal)).save("evil.keras")
    Path("harm").unlink(missing_ok=True)
    says = "network must be one that can be loaded, got 'evil.keras'"
    assert_refused(capsys, "evil.keras", "in.wav", "out.wav", says=says)
    assert not Path("harm").exists()


def test_a_model_file_cannot_name_a_function_to_call(capsys):
    with zipfile.ZipFile("model.keras") as good, zipfile.ZipFile("evil.keras", "w") as evil:
        for entry in good.namelist():
            content = good.read(entry)
            if entry == "config.json":
                config = json.loads(content)
                layer = config["config"]["layers"][1]
                layer |= {"module": "os", "class_name": "system", "registered_name": None}
                layer["config"] = {"command": "touch harm"}
                content = json.dumps(config)
            evil.writestr(entry, content)
    says = "network must be one that can be loaded, got 'evil.keras'"
    assert_refused(capsys, "evil.keras", "in.wav", "out.wav", says=says)
    assert not Path("harm").exists()


def test_progress_is_shown_on_a_terminal_alone(monkeypatch, capsys):
    command._progress(0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    for share in (0.5, 1.0):
        command._progress(share)
    assert capsys.readouterr().err == "██████████░░░░░░░░░░  50%\r████████████████████ 100%\n"


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_a_full_disk_leaves_nothing_behind(format, capsys):
    soundfile.write(f"in.{format}", noise(200_000), 8_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        names = (f"in.{format}", f"out.{format}")
        assert_refused(capsys, "model.keras", *names, says="output must ")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_an_interrupt_leaves_nothing_behind_and_the_old_output_as_it_was(monkeypatch, capsys):
    Path("out.wav").write_bytes(b"precious")

    def interrupt(share):
        if share > 0.5:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_progress", interrupt)
    assert run("model.keras", "in.wav", "out.wav", "--overwrite") == 130
    assert capsys.readouterr().err == "recon: interrupted, no unfinished file is left\n"
    assert sorted(p.name for p in Path().iterdir()) == ["in.wav", "model.keras", "out.wav"]
    assert Path("out.wav").read_bytes() == b"precious"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_outside_leaves_nothing_behind(number, request):
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, default)  # ignored in the background
    request.addfinalizer(lambda: signal.signal(number, before))
    soundfile.write("long.wav", np.zeros(60_000_000, np.int16), 8_000)
    arguments = [sys.executable, "-m", "recon", "restore", "long.wav", "out.wav"]
    arguments += ["--network", "model.keras"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while not any(path.stat().st_size > 100_000 for path in Path().glob(".recon-*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr.read() == "recon: interrupted, no unfinished file is left\n"
    assert sorted(p.name for p in Path().iterdir()) == ["in.wav", "long.wav", "model.keras"]


@pytest.mark.slow
def test_the_example_in_the_help_works_as_typed(folder):
    """In a fresh interpreter, in any folder; quiet, and the network's own result."""
    _, *arguments = shlex.split(command.EXAMPLE.splitlines()[1].strip())
    source, target = arguments[-2:]
    soundfile.write(source, noise(20_000), 8_000)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{target}: 2.5 s restored\n", "")
    restored = recon.restore(soundfile.read(source)[0], 8_000)
    np.testing.assert_allclose(soundfile.read(target)[0], restored, atol=0.51 * 2**-15)


def test_several_recordings_go_into_a_folder_in_one_process(capsys):
    Path("all").mkdir()
    for name in ("a.wav", "b.flac"):
        soundfile.write(name, noise(3_000, 2), 8_000)
    assert run("model.keras", "a.wav", "b.flac", "all") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    for name in ("a.wav", "b.flac"):
        assert soundfile.info(f"all/{name}").frames == 3_000
    assert_refused(capsys, "model.keras", "a.wav", "b.flac", "out.wav", says="output must be a fol")


def test_of_several_recordings_none_replaces_another(capsys):
    for name in ("a", "b", "out"):
        Path(name).mkdir()
    for name in ("a/x.wav", "b/x.wav", "out/y.wav"):
        soundfile.write(name, noise(3_000), 8_000)
    says = "output must be a file of its own for each input, got 'out/"
    for inputs in (("a/x.wav", "b/x.wav"), ("a/x.wav", "out/y.wav"), ("a/x.wav", "a/x.wav")):
        assert_refused(capsys, "model.keras", *inputs, "out", "--overwrite", says=says)


def test_of_several_recordings_a_bad_one_does_not_stop_the_rest(capsys):
    Path("all").mkdir()
    Path("bad.wav").write_bytes(b"nothing")
    assert run("model.keras", "bad.wav", "in.wav", "all") == 1
    out, err = capsys.readouterr()
    assert out == "all/in.wav: 1.6 s restored\n"
    assert err.startswith("recon: input must be a file to read, got 'bad.wav': ")
    assert err.count("\n") == 1


def test_what_appears_meanwhile_is_not_replaced(monkeypatch, capsys):
    monkeypatch.setattr(command, "_progress", lambda share: Path("out.wav").write_bytes(b"theirs"))
    assert run("model.keras", "in.wav", "out.wav") == 1
    assert capsys.readouterr().err.startswith("recon: output must not exist, got 'out.wav'")
    assert Path("out.wav").read_bytes() == b"theirs"
    assert sorted(os.listdir()) == ["in.wav", "model.keras", "out.wav"]


def test_a_name_that_no_file_can_have_is_refused(capsys):
    assert_refused(capsys, output=f"{'x' * 300}.wav", says="output must be a file to write, got")


@pytest.mark.slow
def test_who_listens_may_go():
    Path("all").mkdir()
    soundfile.write("a.wav", noise(3_000), 8_000)
    here, there = os.pipe()
    os.close(here)  # nobody reads what is said
    arguments = [sys.executable, "-m", "recon", "restore", "a.wav", "in.wav", "all"]
    arguments += ["--network", "model.keras"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, env=environment, stdout=there, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(os.listdir("all")) == ["a.wav", "in.wav"]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["upsample --factor 2", "restore"])
def test_a_run_that_is_well_is_quiet(arguments):
    """With TensorFlow as talkative as it comes."""
    soundfile.write("held.wav", np.repeat(noise(3_000), 4, axis=0), 8_000)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    del environment["TF_CPP_MIN_LOG_LEVEL"]
    command, *options = arguments.split()
    line = [sys.executable, "-m", "recon", command, "held.wav", "out.wav", *options]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_standard_error_all_is_well(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert run("model.keras", "in.wav", "out.wav") == 0


def test_the_standard_error_comes_back_whoever_is_silent_last():
    before = os.fstat(2)
    one, other = silence(), silence()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert os.fstat(2).st_ino != before.st_ino
    other.__exit__(None, None, None)
    assert os.path.samestat(os.fstat(2), before)


def test_recordings_are_upsampled_from_the_command_line(capsys):
    assert command.main(["upsample", "in.wav", "out.wav", "--factor", "2"]) == 0
    assert capsys.readouterr().out == "out.wav: 1.6 s restored\n"
    assert soundfile.info("out.wav").samplerate == 16_000
    assert command.main(["upsample", "in.wav", "no.wav", "--factor", "3"]) == 1
    assert capsys.readouterr().err.startswith("recon: factor must be one of 2, 4, 6, got 3")
    assert not Path("no.wav").exists()


def test_the_networks_are_listed(capsys):
    assert command.main(["networks"]) == 0
    said = capsys.readouterr().out
    for name, card in recon.networks().items():
        assert name in said
        assert card["licence"] in said


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["ascii", "cp1252"])
def test_a_console_that_knows_few_signs_stops_nothing(stream):
    soundfile.write("音.wav", noise(3_000), 8_000)
    code = "import sys; sys.stderr.isatty = lambda: True; from recon.__main__ import main; "
    code += "sys.exit(main(['restore', '音.wav', 'α.wav', '--network', 'model.keras']))"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": stream}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert soundfile.info("α.wav").frames == 3_000
