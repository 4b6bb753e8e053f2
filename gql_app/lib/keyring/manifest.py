"""ring.json: which of the keys signs, and until when the retired ones verify."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gql_app.clock import rfc3339
from gql_app.errors import CannotStart
from gql_app.lib.keyring import atomic_files

NAME: Final = "ring.json"

_SHAPE: Final = 'must read {"signing": KID, "retired": {KID: "2030-01-31T12:00:00Z"}}'


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the operator has decided about the keys.

    A retired key stays listed for good: its file may come back from a copy or a backup,
    and must stay dead.
    """

    signing: str | None = None
    """The id of the key that signs; without one it is the secret key."""
    retired: Mapping[str, datetime] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest, which is empty if there is none. Raises CannotStart."""
    file = folder / NAME
    atomic_files.require_kept(file)
    try:
        return _parsed(json.loads(file.read_bytes(), object_pairs_hook=_once))
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise CannotStart([f"{file}: cannot be read: {error.strerror}"]) from None
    except (ValueError, OverflowError, RecursionError):
        raise CannotStart([f"{file}: {_SHAPE}"]) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the folder's, all at once."""
    content: dict[str, object] = {"signing": manifest.signing} if manifest.signing else {}
    content["retired"] = {key_id: rfc3339(until) for key_id, until in manifest.retired.items()}
    atomic_files.replace(folder / NAME, f"{json.dumps(content, indent=2)}\n".encode())


def _parsed(content: object) -> Manifest:
    if isinstance(content, dict) and not content.keys() - {"signing", "retired"}:
        signing, retired = content.get("signing"), content.get("retired", {})
        if isinstance(signing, str | None) and isinstance(retired, dict):
            return Manifest(signing, {key: _moment(until) for key, until in retired.items()})
    raise ValueError


def _moment(text: object) -> datetime:
    """Read a moment; one that names no time zone would mean another time on each machine."""
    moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(members)
    if len(unique) != len(members):
        raise ValueError
    return unique
