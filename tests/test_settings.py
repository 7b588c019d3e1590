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
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole message is compared)
        settings.choose(full=1, quick=2)
    assert str(error.value) == f"RECON_PROFILE must be one of full, quick, got {name!r}"


def test_one_device_trains_unless_the_environment_says_mirrored(monkeypatch):
    assert settings.strategy() == "single"
    monkeypatch.setenv("RECON_STRATEGY", "mirrored")
    assert settings.strategy() == "mirrored"
    monkeypatch.setenv("RECON_STRATEGY", "many")
    with pytest.raises(ValueError, match="RECON_STRATEGY must be one of single, mirrored, got 'm"):
        settings.strategy()


def test_recordings_are_a_folder_or_none(monkeypatch, tmp_path):
    assert settings.recordings() is None
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.wav").touch()
    monkeypatch.setenv("RECON_RECORDINGS", str(tmp_path))
    assert settings.recordings() == tmp_path


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_an_unusable_recordings_folder_is_refused(monkeypatch, tmp_path, kind):
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.touch()
    monkeypatch.setenv("RECON_RECORDINGS", str(folder))
    with pytest.raises(ValueError, match="^RECON_RECORDINGS must name a folder") as error:
        settings.recordings()
    assert str(error.value).endswith(f"got {str(folder)!r}")
