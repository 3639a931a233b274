"""Model home: a folder of model versions and a pointer to the champion, moved atomically.

HOME/versions/VERSION/ are model folders; HOME/champion.json names the champion and those before it. The pointer is
replaced by a rename, so a reader sees the old champion or the new one, never half of one.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from stream.model import BadModel, Model, load_model

SHIPPED: Final = Path(__file__).parent / "champion"
POINTER: Final = "champion.json"
REMEMBERED: Final = 50  # earlier champions kept in the pointer, for rollback


class Pointer(msgspec.Struct, frozen=True):
    """The champion's version and the versions before it, latest last."""

    champion: str
    before: tuple[str, ...] = ()


def default_home(environ: Mapping[str, str]) -> Path:
    """NEWSALERT_MODEL_HOME, else newsalert/models below the user's data folder (XDG)."""
    if named := environ.get("NEWSALERT_MODEL_HOME"):
        return Path(named)
    data = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME", ".")) / ".local" / "share"
    return Path(data) / "newsalert" / "models"


def read_pointer(home: Path) -> Pointer | None:
    """The pointer of `home`, None where no champion was ever set. Raises BadModel where it is damaged."""
    try:
        return msgspec.json.decode((home / POINTER).read_bytes(), type=Pointer)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise BadModel(f"{home / POINTER}: cannot be read: {fault}; set it again with 'newsalert promote'") from fault


def write_pointer(home: Path, pointer: Pointer) -> None:
    """Replaces the pointer of `home`; on disk before it is seen."""
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / f".{POINTER}.{os.getpid()}"
    with fresh.open("wb") as stream:
        stream.write(msgspec.json.encode(pointer) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(home / POINTER)


def version_folder(home: Path, version: str) -> Path:
    """The folder of `version`, be it in `home` or the one shipped with newsalert. Raises BadModel where there is none."""
    folder = home / "versions" / version
    if folder.parent == home / "versions" and (folder / "card.json").is_file():
        return folder
    if SHIPPED.is_dir() and load_model(SHIPPED).card.version == version:
        return SHIPPED
    raise BadModel(f"{home}: no model version '{version}'; 'newsalert models' lists what is there")


def champion_folder(home: Path) -> Path:
    """The champion of `home`, else the model shipped with newsalert. Raises BadModel where there is neither."""
    pointer = read_pointer(home)
    if pointer is not None:
        return version_folder(home, pointer.champion)
    if (SHIPPED / "card.json").is_file():
        return SHIPPED
    raise BadModel(f"{home}: no champion yet; run 'newsalert train', then 'newsalert promote VERSION'")


def find_model(home: Path, named: str | None) -> Model:
    """The model `named` (a model folder or a version in `home`), else the champion. Raises BadModel."""
    if named is None:
        return load_model(champion_folder(home))
    return load_model(Path(named) if (Path(named) / "card.json").is_file() else version_folder(home, named))


def promote(home: Path, version: str) -> Pointer:
    """Makes `version` the champion, after it was loaded once whole. Raises BadModel; then nothing has moved."""
    load_model(version_folder(home, version))
    old = read_pointer(home)
    if old is not None and old.champion == version:
        return old
    before = (*old.before, old.champion) if old else _shipped_version()
    pointer = Pointer(version, before[-REMEMBERED:])
    write_pointer(home, pointer)
    return pointer


def roll_back(home: Path) -> Pointer:
    """Makes the champion before the present one champion again. Raises BadModel where there was none or it is gone."""
    pointer = read_pointer(home)
    if pointer is None or not pointer.before:
        raise BadModel(f"{home}: there is no earlier champion to roll back to")
    load_model(version_folder(home, pointer.before[-1]))
    earlier = Pointer(pointer.before[-1], pointer.before[:-1])
    write_pointer(home, earlier)
    return earlier


def _shipped_version() -> tuple[str, ...]:
    return (load_model(SHIPPED).card.version,) if (SHIPPED / "card.json").is_file() else ()


def versions(home: Path, pointer: Pointer | None) -> Iterator[tuple[Model, bool]]:
    """Each model of `home` and the shipped one, oldest first, and whether it is the champion; damaged ones raise BadModel."""
    folders = [path.parent for path in (home / "versions").glob("*/card.json")]
    folders += [SHIPPED] if (SHIPPED / "card.json").is_file() else []
    models = sorted((load_model(folder) for folder in folders), key=lambda model: model.card.created)
    shipped = next(iter(_shipped_version()), None)
    for model in models:
        yield model, model.card.version == (pointer.champion if pointer else shipped)
