"""Restoring files from the command line; the commands of the README as typed."""

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import nbformat
import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from record import NOTEBOOKS, ROOT
from test_recon import network

import recon
from recon import __main__ as command
from recon import metrics

KERNEL = [0.1, -0.3, 0.5, 0.2, 0.1]
README = (ROOT / "README.md").read_text()


def noise(n_samples, channels=1):
    return 0.1 * np.random.default_rng(0).normal(size=(n_samples, channels))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to work in, with a network and a recording of three blocks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recon, "BLOCK", 10_000)
    network(KERNEL, sample_rate=8_000).save("model.keras")
    soundfile.write("in.wav", noise(13_000, 2), 8_000)


def run(*arguments, model="model.keras"):
    return command.main(["restore", "--network", model, *arguments])


def contents():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


FORMS = [
    "PCM_16 16 bit.wav",
    "FLOAT α 音.wav",
    "PCM_24 24 bit.flac",
    "VORBIS o.ogg",
    "PCM_S8 a.aiff",
]
STEPS = {"PCM_16": 2**-15, "PCM_S8": 2**-7, "VORBIS": 1}  # the last one is lossy


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_output_has_the_inputs_form(form, channels):
    subtype, _, name = form.partition(" ")
    with soundfile.SoundFile(name, "w", 8_000, channels, subtype) as file:
        file.title = "Étude"
        file.write(noise(13_001, channels))
    assert run(name, f"out {name}") == 0
    with soundfile.SoundFile(name) as source, soundfile.SoundFile(f"out {name}") as target:
        for part in ("samplerate", "channels", "frames", "format", "subtype", "title"):
            assert getattr(source, part) == getattr(target, part)
        clean, restored = (file.read(always_2d=True) for file in (source, target))
    expected = [np.convolve(channel, KERNEL[::-1], "same") for channel in clean.T]
    np.testing.assert_allclose(restored.T, expected, atol=1.01 * STEPS.get(subtype, 1e-6))


def test_beyond_full_scale_is_clipped_unless_float():
    network([0.0, 2.0, 0.0]).save("louder.keras")
    soundfile.write("loud.wav", [0.4, -0.6, 0.7, 0.1], 8_000)
    for options, most in (([], 1), (["--subtype", "FLOAT"], 2)):
        assert run("loud.wav", "out.wav", "--overwrite", *options, model="louder.keras") == 0
        expected = np.clip([0.8, -1.2, 1.4, 0.2], -most, most)
        np.testing.assert_allclose(soundfile.read("out.wav")[0], expected, atol=1e-4)


REFUSED = {  # arguments: what is said
    "in.wav in.wav": "output must not exist",
    "none.wav out.wav": "input must be .*none.wav",
    "cut.wav out.wav": "input must be complete.*cut.wav",
    "empty.wav out.wav": "input must hold .*sample.*empty.wav",
    "bare.raw out.wav": ".*samplerate",
    "in.wav no/out.wav": "output must lie in a folder that exists",
    "in.wav out.txt": "output must end in the suffix of an audio format",
    "in.wav out.mp3 --subtype FLOAT": ".*subtype",
    "in.wav many.wav out.wav": "output must be a folder",
    "nan.wav out.wav": ".*finite",
    "in.wav out.wav --mix 2": "mix must .* got 2",
    "in.wav out.wav --network none": "network must be a .keras file or one of",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(arguments, capsys):
    Path("cut.wav").write_bytes(Path("in.wav").read_bytes()[:9_000])
    soundfile.write("empty.wav", noise(0), 8_000)
    soundfile.write("nan.wav", [0.0, np.nan], 8_000, subtype="FLOAT")
    Path("bare.raw").write_text("not audio")
    before = contents()
    assert run(*arguments.split()) == 1
    out, err = capsys.readouterr()
    assert (out, contents()) == ("", before)
    assert re.fullmatch(f"recon: {REFUSED[arguments]}.*\n", err)


def test_several_recordings_go_into_a_folder(capsys):
    Path("all").mkdir()
    Path("bad.wav").write_bytes(b"nothing")
    soundfile.write("b.flac", noise(3_000, 2), 8_000)
    assert run("in.wav", "bad.wav", "b.flac", "all") == 1
    out, err = capsys.readouterr()
    assert out == "all/in.wav: 1.6 s restored\nall/b.flac: 0.4 s restored\n"
    assert "bad.wav" in err
    assert {path.name for path in Path("all").iterdir()} == {"in.wav", "b.flac"}


def test_the_networks_are_listed(capsys):
    assert command.main(["networks"]) == 0
    assert re.findall("^\\w+", capsys.readouterr().out, re.MULTILINE) == [*recon.networks()]


@example("FLAC", 21, b"\xff" * 5)  # more samples than there are
@given(st.sampled_from(["WAV", "FLAC", "AIFF"]), st.integers(0, 60), st.binary(max_size=99))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_random_bytes_are_audio_or_one_error(format, place, random):
    """In the first bytes of a recording."""
    soundfile.write("any", noise(200), 8_000, format=format)
    content = Path("any").read_bytes()
    Path("any").write_bytes(content[:place] + random + content[place + len(random) :])
    Path("out.wav").unlink(missing_ok=True)
    with mock.patch("sys.stderr", io.StringIO()) as err:
        status = run("any", "out.wav", "--resample")
    assert status == err.getvalue().count("\n") == int(not Path("out.wav").exists())


def python(line):
    """The start of a process like a reader's, without what the tests set for TensorFlow."""
    environment = {name: text for name, text in os.environ.items() if name[:3] != "TF_"}
    environment["PYTHONPATH"] = str(ROOT)
    line = [sys.executable, *shlex.split(line)]
    return subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_signal_leaves_the_old_file_whole():
    soundfile.write("long.wav", np.zeros(30_000_000, np.int16), 8_000)
    Path("out.wav").write_bytes(b"precious")
    before = contents()
    with python("-m recon restore long.wav out.wav --overwrite --network model.keras") as process:
        while not any(path.stat().st_size > 100_000 for path in Path().glob(".*.partial.wav")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == "recon: interrupted, no unfinished file is left\n"
        assert process.wait() == 128 + signal.SIGTERM
    assert contents() == before


@pytest.mark.slow
def test_the_readmes_command_restores_quietly():
    Path("docs").symlink_to(ROOT / "docs")
    for line in re.findall(r"^\.venv/bin/python (-m recon .+)$", README, re.MULTILINE):
        with python(line) as process:
            assert (process.stderr.read(), process.wait()) == ("", 0)
    clean = 0.7 * soundfile.read(ROOT / "recon" / "recordings" / "voice-8838.flac")[0]
    noisy, restored = (soundfile.read(x)[0] for x in ("docs/sounds/noisy.flac", "restored.flac"))
    assert metrics.gain_db(clean, noisy, restored) > 9


@pytest.mark.slow
def test_the_readmes_python_works_as_typed():
    soundfile.write("noisy.wav", noise(9_000, 2), 16_000)
    samples, sample_rate = soundfile.read("noisy.wav")
    names = {"samples": samples, "sample_rate": sample_rate}
    for code in re.findall(r"```python\n(.+?)```", README, re.DOTALL):
        exec(code, names)
        assert names["restored"].shape == samples.shape
    assert soundfile.info("restored.wav").frames == len(samples)


@pytest.mark.slow
def test_the_readmes_main_command_executes_in_place():
    """On small notebooks of the same names, and without the installation."""
    main, test = re.findall(r"<!-- (?:main|test) command -->\n```sh\n(.+)\n```", README)
    installation, _, execution = main.rpartition(" && .venv/bin/")
    assert test == f"{installation} && .venv/bin/pytest"
    small = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    for name in NOTEBOOKS:
        nbformat.write(small, f"{name}.ipynb")
    with python(f"-m {execution}") as process:
        process.communicate()
    for name in NOTEBOOKS:
        (cell,) = nbformat.read(f"{name}.ipynb", 4).cells
        assert cell.outputs[0]["data"]["text/plain"] == "2"
        assert "execution" not in cell.metadata  # its time, which differs
