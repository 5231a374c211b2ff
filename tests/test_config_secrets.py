"""Secrets come from files too, as Docker, Kubernetes and systemd hand them out."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ringpost.config import Config

KEYS = "first:" + "A" * 43 + "="
TOKEN = "made-up-token-of-more-than-32-characters"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets that is in force, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGPOST_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_each_setting_may_be_a_file(folder: Path) -> None:
    (folder / "ringpost_keys").write_text(f"{KEYS}\n")
    (folder / "ringpost_database_url").write_text("postgresql://ringpost:made-up@db.example.com/ringpost\n")

    config = Config()

    assert config.keys is not None
    assert config.keys.get_secret_value() == KEYS
    assert config.database_url == "postgresql://ringpost:made-up@db.example.com/ringpost"


def test_the_environment_wins_over_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ringpost_port").write_text("9000")
    monkeypatch.setenv("RINGPOST_PORT", "9001")

    assert Config().port == 9001


def test_the_folder_may_be_named_in_dotenv(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path_factory.mktemp("secrets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"RINGPOST_SECRETS_DIR={secrets}\n")
    (secrets / "ringpost_admin_token").write_text(TOKEN)

    token = Config().admin_token

    assert token is not None
    assert token.get_secret_value() == TOKEN


def test_a_secret_in_a_file_is_checked_like_any_other(folder: Path) -> None:
    (folder / "ringpost_admin_token").write_text("short")

    with pytest.raises(ValidationError, match="32 to 512"):
        Config()


def test_an_empty_file_does_not_make_the_current_folder_the_data_folder(folder: Path) -> None:
    (folder / "ringpost_data_dir").write_text("")

    with pytest.raises(ValidationError, match="must name a folder"):
        Config()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGPOST_SECRETS_DIR", str(tmp_path / "missing"))

    with pytest.raises(ValidationError, match="there is no folder"):
        Config()
