"""The oracle's transcriptions on disk, in the platform's cache folder, so that a warm run need not import jax.

GRADCHECK_CACHE_DIR puts the folder elsewhere, GRADCHECK_CACHE=off keeps nothing. Files are keyed by the versions and the
sources that made them, written whole (a temporary file, then `os.replace`), and hold a checksum. A file that is cut short,
changed, a link, another user's, or writable for others is not there: the entry is traced anew and written again. The folder
is made for its owner alone; one that others can write into is not used.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import stat
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from gradcheck.oracles.store import Nothing, Store, rules
from gradcheck.version import __version__

LARGEST = 4 << 20
REAUDITED = 16
"""One run in so many audits a case although all its rules have been audited before: a cache is never beyond question."""
_SOURCES = (
    "oracles/autodiff.py",
    "oracles/transcription.py",
    "oracles/lines.py",
    "oracles/fingerprint.py",
    "oracles/equations.py",
    "oracles/layers.py",
    "networks/activations.py",
    "networks/namespace.py",
)


def install(environment: Mapping[str, str] = os.environ) -> None:
    """Let the oracle of this process keep its transcriptions on disk."""
    rules.store = store_of(environment)


def reaudit() -> bool:
    """Whether this run looks again at rules that have been audited: by chance, so that no run can count on it."""
    return secrets.randbelow(REAUDITED) == 0


def store_of(environment: Mapping[str, str]) -> Store:
    """The store that the environment asks for; one that keeps nothing where there is no safe folder for it."""
    if environment.get("GRADCHECK_CACHE", "").lower() in ("off", "0", "no", "false"):
        return Nothing()
    folder = base_folder(environment, sys.platform)
    if folder is None:
        return Nothing()
    return Disk(folder / f"oracle-{_versions()}")


def base_folder(environment: Mapping[str, str], system: str) -> Path | None:
    """GRADCHECK_CACHE_DIR, or gradcheck's folder in the platform's cache folder; None where there is no home."""
    if environment.get("GRADCHECK_CACHE_DIR"):
        return Path(environment["GRADCHECK_CACHE_DIR"])
    home = environment.get("HOME") or environment.get("USERPROFILE")
    usual = {"darwin": ("", "Library/Caches"), "win32": ("LOCALAPPDATA", "AppData/Local")}
    variable, below = usual.get(system, ("XDG_CACHE_HOME", ".cache"))
    if variable and os.path.isabs(environment.get(variable, "")):
        return Path(environment[variable]) / "gradcheck"
    return Path(home) / below / "gradcheck" if home else None


@cache
def _versions() -> str:
    """A digest of everything that decides how a definition is transcribed, the definition apart."""
    named = {p: importlib.metadata.version(p) for p in ("jax", "jaxlib", "numpy")}
    here = Path(__file__).parents[1]
    files = [*(here / s for s in _SOURCES), *sorted((here / "networks" / "layers").glob("*.py"))]
    sources = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    key = [named, platform.python_version(), platform.machine(), __version__, sources]
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


class Disk:
    """`Store` in one folder, one file an entry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._usable = _private(folder)

    def get(self, key: str) -> str | None:
        """The text, if its file is ours alone and whole."""
        if not self._usable:
            return None
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or not _ours(found) or found.st_size > LARGEST:
                return None
            checksum, _, body = file.read(LARGEST).partition(b"\n")
        if checksum.decode("ascii", "replace") != hashlib.sha256(key.encode() + body).hexdigest():
            return None
        return body.decode("utf-8", "replace")

    def put(self, key: str, text: str) -> None:
        """Write the file whole or not at all; a full or read-only disk is no error."""
        if not self._usable:
            return
        body = text.encode()
        with contextlib.suppress(OSError):
            descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=self.folder)
            try:
                with open(descriptor, "wb") as file:
                    file.write(hashlib.sha256(key.encode() + body).hexdigest().encode() + b"\n" + body)
                os.replace(temporary, self._path(key))
            except OSError:
                os.unlink(temporary)
                raise

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json"


def _private(folder: Path) -> bool:
    """Make the folder; whether it is a real one, ours, and writable for nobody else."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _ours(found)


def _ours(found: os.stat_result) -> bool:
    """Owned by this user and not writable for group or others; Windows has neither."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022
