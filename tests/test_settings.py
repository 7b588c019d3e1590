import io
from types import SimpleNamespace

import pytest

from recon import settings


def test_the_profile_is_full_unless_the_environment_says_quick(monkeypatch):
    monkeypatch.delenv("RECON_PROFILE")
    assert settings.profile() == "full"
    assert settings.choose(full=1, quick=2) == 1
    monkeypatch.setenv("RECON_PROFILE", "quick")
    assert settings.choose(full=1, quick=2) == 2


@pytest.mark.parametrize("name", ["Quick", "fast", ""])
def test_a_misspelt_profile_is_refused(monkeypatch, name):
    monkeypatch.setenv("RECON_PROFILE", name)
    with pytest.raises(ValueError, match=f"^RECON_PROFILE .*full, quick.*{name!r}"):
        settings.choose(full=1, quick=2)


def test_recordings_are_a_folder_or_those_that_ship(monkeypatch, tmp_path):
    assert list(settings.recordings().glob("*.flac"))
    (tmp_path / "deep").mkdir()
    for name in "abc":
        (tmp_path / "deep" / f"{name}.wav").touch()
    monkeypatch.setenv("RECON_RECORDINGS", str(tmp_path))
    assert settings.recordings() == tmp_path


@pytest.mark.parametrize("kind", ["missing", "empty", "two files", "file"])
def test_an_unusable_recordings_folder_is_refused(monkeypatch, tmp_path, kind):
    folder = tmp_path / kind
    if kind in ("empty", "two files"):
        folder.mkdir()
        for name in "ab" if kind == "two files" else "":
            (folder / f"{name}.wav").touch()
    elif kind == "file":
        folder.touch()
    monkeypatch.setenv("RECON_RECORDINGS", str(folder))
    with pytest.raises(ValueError, match="^RECON_RECORDINGS .*folder") as error:
        settings.recordings()
    assert repr(str(folder)) in str(error.value)


@pytest.mark.parametrize("name", ["~nobody-by-that-name/x", "x" * 5000, "a/" * 3000])
def test_a_name_that_no_folder_can_have_is_said(monkeypatch, name):
    monkeypatch.setenv("RECON_RECORDINGS", name)
    with pytest.raises(ValueError, match=r"^RECON_RECORDINGS must name a folder"):
        settings.recordings()


def test_a_relative_folder_is_said_with_the_place_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECON_RECORDINGS", "missing")
    with pytest.raises(ValueError, match="^RECON_RECORDINGS") as error:
        settings.recordings()
    assert str(tmp_path / "missing") in str(error.value)


def test_an_empty_name_is_no_folder_and_a_tilde_is_home(monkeypatch, tmp_path):
    monkeypatch.setenv("RECON_RECORDINGS", "")
    assert list(settings.recordings().glob("*.flac"))
    for name in "abc":
        (tmp_path / f"{name}.wav").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RECON_RECORDINGS", "~")
    assert settings.recordings() == tmp_path


@pytest.mark.parametrize(("encoding", "signs"), [("utf-8", "█░"), ("ascii", "#."), (None, "█░")])
def test_a_bar_has_twenty_cells_in_signs_that_the_stream_can_show(encoding, signs):
    stream = SimpleNamespace(encoding=encoding)
    for share, full in ((0, 0), (0.25, 5), (1, 20)):
        assert settings.bar(share, stream) == signs[0] * full + signs[1] * (20 - full)


def test_a_claim_stops_a_run_only_where_it_is_asked_to(monkeypatch, capsys):
    monkeypatch.setenv("RECON_STRICT", "1")
    settings.claim("1 < 2", True)
    with pytest.raises(AssertionError, match="2 < 1"):
        settings.claim("2 < 1", False)
    monkeypatch.delenv("RECON_STRICT")
    settings.claim("2 < 1", False)
    said = capsys.readouterr().out.splitlines()
    assert said == ["holds: 1 < 2", "DOES NOT HOLD: 2 < 1", "DOES NOT HOLD: 2 < 1"]


def test_a_misspelt_setting_is_refused(monkeypatch):
    monkeypatch.setenv("RECON_RECORDING", "folder")
    with pytest.raises(ValueError, match="^environment must name RECON_.*, got RECON_RECORDING$"):
        settings.profile()


@pytest.mark.parametrize("value", ["true", "yes", ""])
def test_strict_is_0_or_1(monkeypatch, value):
    monkeypatch.setenv("RECON_STRICT", value)
    with pytest.raises(ValueError, match="^RECON_STRICT must be 0 or 1, got "):
        settings.claim("it is so", True)


def test_a_name_of_any_signs_can_be_said(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr("sys.stdout", out)
    settings.say("音 \udcff")
    out.flush()
    assert out.buffer.getvalue() == b"\\u97f3 \\udcff\n"
