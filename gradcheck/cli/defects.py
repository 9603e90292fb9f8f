"""What people can send us of a defect of gradcheck: versions, traceback, and what the oracle's audit saw, as one JSON file."""

import hashlib
import importlib.metadata
import json
import platform
import sys
import traceback
from pathlib import Path
from typing import Any

from gradcheck.cli.failures import name_of
from gradcheck.errors import Defect, OracleError
from gradcheck.version import __version__

SCHEMA = "gradcheck.defect/1"
_PACKAGES = ("numpy", "jax", "jaxlib", "hypothesis")


def recorded(error: Exception, folder: Path | None, file: str) -> str | None:
    """The path of the file that was written about the error; None where there is no folder, or nothing can be written."""
    from gradcheck.cli.delivery import write_atomically

    if folder is None:
        return None
    data = contents(error, file)
    known = [data["error"], data["message"], (data["oracle"] or {}).get("case")]
    name = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
    path = folder / f"gradcheck-defect-{name}.json"
    try:
        write_atomically(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    except OSError:
        return None
    return str(path)


def contents(error: Exception, file: str) -> dict[str, Any]:
    """Everything in plain JSON types; file: the subject, as it was named."""
    from gradcheck.report.plain import plain_json  # lazily: start-up is to stay fast

    trace = error.trace if isinstance(error, Defect) else "".join(traceback.format_exception(error))
    return {
        "schema": SCHEMA,
        "error": name_of(error),
        "message": str(error),
        "subject": file,
        "versions": _versions(),
        "traceback": trace,
        "oracle": plain_json(error.evidence) if isinstance(error, OracleError) else None,
    }


def _versions() -> dict[str, str]:
    found = {"gradcheck": __version__, "python": platform.python_version()}
    found["platform"] = f"{sys.platform} {platform.machine()}"
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
