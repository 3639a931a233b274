"""The champion is always one whole model: the old one or the new one."""

from pathlib import Path

import pytest

from stream import home as homes
from stream.home import Pointer, champion_folder, find_model, promote, read_pointer, roll_back, versions, write_pointer
from stream.model import BadModel
from tests.test_model import edit_card, write_tiny


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the versions 1 and 2 and no champion, and no model shipped beside it."""
    monkeypatch.setattr(homes, "SHIPPED", tmp_path / "nothing shipped")
    for version in ("1", "2"):
        (tmp_path / "home" / "versions").mkdir(parents=True, exist_ok=True)
        edit_card(write_tiny(tmp_path / "home" / "versions" / version), version=version, created=f"2026-03-0{version}")
    return tmp_path / "home"


def test_without_a_champion_it_is_said_what_to_do(home: Path) -> None:
    with pytest.raises(BadModel, match="newsalert promote"):
        champion_folder(home)


def test_the_promoted_version_is_the_one_that_serves(home: Path) -> None:
    promote(home, "1")
    promote(home, "2")

    assert find_model(home, None).card.version == "2"
    assert read_pointer(home) == Pointer("2", ("1",))


def test_rollback_goes_back_one_champion_at_a_time(home: Path) -> None:
    for version in ("1", "2"):
        promote(home, version)

    assert roll_back(home).champion == "1"
    with pytest.raises(BadModel, match="no earlier champion"):
        roll_back(home)


def test_a_damaged_or_unknown_version_is_not_promoted_and_the_champion_stays(home: Path) -> None:
    promote(home, "1")
    (home / "versions" / "2" / "weights.npz").write_bytes(b"cut")

    for version in ("2", "no such", "../versions/1"):
        with pytest.raises(BadModel):
            promote(home, version)

    assert find_model(home, None).card.version == "1"


def test_promoting_the_champion_again_changes_nothing(home: Path) -> None:
    promote(home, "1")
    promote(home, "1")

    assert read_pointer(home) == Pointer("1")


def test_a_damaged_pointer_is_told_and_not_guessed_around(home: Path) -> None:
    (home / "champion.json").write_text("{")

    with pytest.raises(BadModel, match="newsalert promote"):
        find_model(home, None)


def test_the_pointer_is_replaced_in_one_step(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(home, "1")

    def power_cut(self: Path, target: Path) -> Path:
        raise OSError("power cut")

    monkeypatch.setattr(Path, "replace", power_cut)
    with pytest.raises(OSError, match="power cut"):
        write_pointer(home, Pointer("2"))

    assert read_pointer(home) == Pointer("1")


def test_a_model_can_be_named_by_version_or_by_folder(home: Path) -> None:
    assert find_model(home, "2").card.version == "2"
    assert find_model(home, str(home / "versions" / "1")).card.version == "1"


def test_the_list_marks_the_champion(home: Path) -> None:
    promote(home, "2")

    assert [(model.card.version, champion) for model, champion in versions(home, read_pointer(home))] == [
        ("1", False),
        ("2", True),
    ]
