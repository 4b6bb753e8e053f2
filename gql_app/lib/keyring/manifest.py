"""ring.json: the key that signs, and how long the retired ones verify."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from gql_app.lib import atomic_files
from gql_app.lib.clock import parse_moment, rfc3339
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring.compact import DuplicateMember, unique_members

NAME: Final = "ring.json"

_SHAPE: Final = 'must read {"signing": KID, "retired": {KID: "2030-01-31T12:00:00Z"}}'


@dataclass(frozen=True, slots=True)
class Manifest:
    """The operator's decisions about the keys.

    A retired key stays listed for good: its file may come back from a copy or a backup,
    and must not verify again.
    """

    signing: str | None = None
    """The id of the signing key, None for the secret key."""
    retired: Mapping[str, datetime] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """Return a folder's manifest, an empty one if there is none. Raise CannotStart."""
    file = folder / NAME
    atomic_files.require_private(file)
    try:
        return _parsed(json.loads(file.read_bytes(), object_pairs_hook=unique_members))
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise CannotStart([f"{file}: cannot be read: {error.strerror}"]) from None
    except (DuplicateMember, ValueError, RecursionError):
        raise CannotStart([f"{file}: {_SHAPE}"]) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest, which replaces the old one atomically."""
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
    """Return a date and time. Raise ValueError if it has no time zone: machines would differ."""
    moment = parse_moment(text) if isinstance(text, str) else None
    if moment is None:
        raise ValueError
    return moment
