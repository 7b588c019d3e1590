"""The environment, files that are replaced whole, and claims."""

import pytest

from recon import settings


def test_the_profile_is_full_or_quick(monkeypatch):
    monkeypatch.delenv("RECON_PROFILE")
    assert settings.profile() == "full"
    assert settings.choose(full=1, quick=2) == 1
    monkeypatch.setenv("RECON_PROFILE", "quick")
    assert settings.choose(full=1, quick=2) == 2
    monkeypatch.setenv("RECON_PROFILE", "Quick")
    with pytest.raises(ValueError, match="^RECON_PROFILE must be full or quick, got 'Quick'$"):
        settings.choose(full=1, quick=2)


def test_recordings_are_a_folder_or_those_that_ship(monkeypatch, tmp_path):
    assert list(settings.recordings().glob("*.flac"))
    monkeypatch.setenv("RECON_RECORDINGS", str(tmp_path))
    assert settings.recordings() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RECON_RECORDINGS", "~")
    assert settings.recordings() == tmp_path
    monkeypatch.setenv("RECON_RECORDINGS", "~/missing")
    with pytest.raises(ValueError, match="^RECON_RECORDINGS must name a folder, got .*/missing'$"):
        settings.recordings()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.txt"
    for text, fails in (("first", False), ("half", True), ("second", False)):
        before = path.read_text() if path.exists() else None
        try:
            with settings.replacing(path) as beside:
                beside.write_text(text)
                assert beside.suffix == path.suffix
                assert (path.read_text() if path.exists() else None) == before
                assert not fails or 1 / 0
        except ZeroDivisionError:
            assert path.read_text() == before
        else:
            assert path.read_text() == text
        assert list(tmp_path.iterdir()) == [path]


def test_a_claim_is_printed_with_whether_it_holds(capsys):
    settings.claim("1 < 2", True)
    settings.claim("2 < 1", False)
    assert capsys.readouterr().out.splitlines() == ["holds: 1 < 2", "DOES NOT HOLD: 2 < 1"]
