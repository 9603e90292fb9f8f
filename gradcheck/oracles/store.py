"""Where transcriptions are kept between processes: a seam, filled by the shell; by default nothing is kept.

Nothing that a store gives back is believed: an entry passes the tables of `restricted` before it runs, and counts as audited
only if its text is the one that was compared with compiled `jax.grad`.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gradcheck.oracles.restricted import Refused
from gradcheck.oracles.transcription import assemble

_KINDS = "biufc"
_REJECTED = "rejected by an audit"
"""No entry: it is no JSON."""


class Store(Protocol):
    """Texts by key. Neither method raises: what cannot be read is None, what cannot be kept is not kept."""

    def get(self, key: str) -> str | None:
        """The text, or None."""
        ...

    def put(self, key: str, text: str) -> None:
        """Keep the text for later processes."""
        ...


class Nothing:
    """The store that keeps nothing."""

    def get(self, key: str) -> str | None:
        """None."""
        return None

    def put(self, key: str, text: str) -> None:
        """Nothing."""


class Rules:
    """The transcriptions of this process: where they came from, and which of them have been audited."""

    def __init__(self) -> None:
        self.store: Store = Nothing()
        self.texts: dict[str, str] = {}
        self.audited: set[str] = set()

    def recall(self, key: str | None, name: str) -> Callable[..., Any] | None:
        """The function of an entry, or None where there is none that holds what it should."""
        text = None if key is None else self.store.get(f"{name}-{key}")
        if key is None or text is None:
            return None
        try:
            entry = json.loads(text)
            function = assemble(str(entry["source"]), [_array(c) for c in entry["consts"]], name)
        except (Refused, ValueError, TypeError, KeyError):
            return None
        self._note(f"{name}-{key}", text)
        return function

    def keep(self, key: str | None, name: str, written: tuple[str, list[Any]]) -> Callable[..., Any]:
        """The function of what has just been written, kept under its key."""
        function = assemble(*written, name)
        if key is not None and all(c.dtype.kind in _KINDS for c in written[1]):
            text = json.dumps({"source": written[0], "consts": [_plain(c) for c in written[1]]})
            self.store.put(f"{name}-{key}", text)
            self._note(f"{name}-{key}", text)
        return function

    def _note(self, key: str, text: str) -> None:
        self.texts[key] = text
        if self.store.get(f"audited-{key}") == _digest(text):
            self.audited.add(key)

    def unaudited(self, keys: list[str]) -> list[str]:
        """Those of the keys that never took part in an audit, here or in the process that wrote them."""
        for key in keys:
            text = None if key in self.texts else self.store.get(key)
            if text is not None:
                self._note(key, text)
        return [k for k in keys if k not in self.audited]

    def approve(self, keys: list[str]) -> None:
        """Book that an audit over these entries passed."""
        for key in self.unaudited(keys):
            self.audited.add(key)
            if key in self.texts:
                self.store.put(f"audited-{key}", _digest(self.texts[key]))

    def reject(self, keys: list[str]) -> None:
        """Book that an audit over these entries failed: whatever is kept of them is not taken up again."""
        for key in keys:
            self.audited.discard(key)
            self.texts.pop(key, None)
            self.store.put(key, _REJECTED)


rules = Rules()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(constant: Any) -> list[Any]:
    array = np.ascontiguousarray(constant)
    return [array.dtype.str, list(np.shape(constant)), base64.b64encode(array.tobytes()).decode("ascii")]


def _array(data: Any) -> Any:
    dtype = np.dtype(data[0])
    if dtype.kind not in _KINDS:
        raise Refused(f"a constant of dtype {dtype}")
    return np.frombuffer(base64.b64decode(data[2]), dtype).reshape(data[1])
