"""Secrets by name: where they are looked for, and that they never show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from otd.errors import BadSetting
from otd.settings.secrets import NamedSecrets, user_and_password

VALUE = "canary-7f3a"


def secrets(
    tmp_path: Path, *, environment: Mapping[str, str] | None = None, file: str | None = None, mode: int = 0o600
) -> NamedSecrets:
    path = tmp_path / "secrets.toml"
    if file is not None:
        path.write_text(file)
        path.chmod(mode)
    folder = tmp_path / "mounted"
    folder.mkdir(exist_ok=True)
    return NamedSecrets(environment=environment or {}, file=path, folder=folder)


def test_a_secret_is_found_in_the_environment(tmp_path: Path) -> None:
    assert secrets(tmp_path, environment={"OTD_SECRET_CODEC_ADMIN": VALUE}).get("codec-admin") == VALUE


def test_a_secret_is_found_in_the_secrets_file(tmp_path: Path) -> None:
    assert secrets(tmp_path, file=f'codec-admin = "{VALUE}"').get("codec-admin") == VALUE


def test_a_secret_is_found_in_a_mounted_folder_without_its_line_end(tmp_path: Path) -> None:
    found = secrets(tmp_path)
    (tmp_path / "mounted" / "graph-key").write_text(f"-----BEGIN-----\n{VALUE}\n-----END-----\n")
    assert found.get("graph-key") == f"-----BEGIN-----\n{VALUE}\n-----END-----"


def test_the_environment_goes_before_the_file_and_the_file_before_the_folder(tmp_path: Path) -> None:
    found = secrets(tmp_path, environment={"OTD_SECRET_A": "1"}, file='a = "2"\nb = "2"')
    (tmp_path / "mounted" / "a").write_text("3")
    (tmp_path / "mounted" / "b").write_text("3")
    (tmp_path / "mounted" / "c").write_text("3")
    assert [found.get(name) for name in "abc"] == ["1", "2", "3"]


def test_a_table_of_user_and_password_is_a_credential(tmp_path: Path) -> None:
    found = secrets(tmp_path, file=f"[codec]\nuser = 'EXAMPLE\\svc'\npassword = \"{VALUE}:x\"")
    assert user_and_password("codec", found.get("codec")) == ("EXAMPLE\\svc", f"{VALUE}:x")


def test_a_changed_secret_counts_at_once(tmp_path: Path) -> None:
    found = secrets(tmp_path, file='a = "old"')
    assert found.get("a") == "old"
    secrets(tmp_path, file='a = "new"')
    assert found.get("a") == "new"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_secrets_file_that_others_can_read_is_refused_with_the_line_that_mends_it(tmp_path: Path, mode: int) -> None:
    found = secrets(tmp_path, file=f'a = "{VALUE}"', mode=mode)
    with pytest.raises(BadSetting) as refused:
        found.get("a")
    assert refused.value.mend == f"chmod 600 {tmp_path / 'secrets.toml'}"
    assert VALUE not in str(refused.value)


def test_a_missing_secret_names_itself_and_every_place_that_was_looked_in(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as missing:
        secrets(tmp_path, environment={"OTD_SECRET_OTHER": VALUE}, file=f'other = "{VALUE}"').get("codec-admin")
    text = str(missing.value)
    for place in ("codec-admin", "OTD_SECRET_CODEC_ADMIN", str(tmp_path / "secrets.toml"), str(tmp_path / "mounted")):
        assert place in text
    assert VALUE not in text


@pytest.mark.parametrize(
    "content",
    [
        f'a = "{VALUE}',
        f"a = {VALUE}",
        f'a = ["{VALUE}"]',
        f'[a]\nuser = "u"\npasword = "{VALUE}"',
        f'[a]\nuser = "u:v"\npassword = "{VALUE}"',
        'a = ""',
        f'a = "{VALUE}"\na = "{VALUE}"',
    ],
)
def test_a_secret_that_cannot_be_used_is_never_repeated(tmp_path: Path, content: str) -> None:
    found = secrets(tmp_path, file=content)
    with pytest.raises(BadSetting) as wrong:
        found.get("a")
    assert VALUE not in str(wrong.value)
    assert VALUE not in repr(wrong.value.__cause__)
    assert wrong.value.mend


def test_neither_repr_nor_vars_hold_a_value_from_file_or_folder(tmp_path: Path) -> None:
    found = secrets(tmp_path, environment={"OTD_SECRET_A": VALUE}, file=f'b = "{VALUE}"')
    found.get("a")
    found.get("b")
    assert VALUE not in repr(found)
    assert VALUE not in f"{found}"


@pytest.mark.parametrize("name", ["../secrets.toml", "A", "", "a/b", "x" * 64, "a\n"])
def test_only_names_are_looked_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting):
        secrets(tmp_path, file='a = "x"').get(name)


def test_a_file_in_the_folder_that_is_huge_or_no_text_is_refused(tmp_path: Path) -> None:
    found = secrets(tmp_path)
    (tmp_path / "mounted" / "huge").write_bytes(b"x" * 70_000)
    (tmp_path / "mounted" / "binary").write_bytes(b"\xff\xfe")
    for name in ("huge", "binary"):
        with pytest.raises(BadSetting):
            found.get(name)


def test_a_credential_needs_a_user_and_a_password() -> None:
    assert user_and_password("x", "admin:") == ("admin", "")
    for bad in (VALUE, f":{VALUE}"):
        with pytest.raises(BadSetting) as wrong:
            user_and_password("x", bad)
        assert VALUE not in str(wrong.value)


def test_the_secret_that_follows_another_is_found_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text('[codec]\ncurrent = "otd:one"\nnext = "otd:two"\n[other]\ncurrent = "otd:three"\n')
    file.chmod(0o600)
    secrets = NamedSecrets(environment={"OTD_SECRET_OTHER_NEXT": "otd:four"}, file=file, folder=None)
    assert [secrets.get(name) for name in ("codec", "codec-next", "other", "other-next")] == [
        "otd:one",
        "otd:two",
        "otd:three",
        "otd:four",
    ]
    alone = NamedSecrets(environment={}, file=file, folder=None)
    with pytest.raises(BadSetting, match="other-next"):
        alone.get("other-next")
