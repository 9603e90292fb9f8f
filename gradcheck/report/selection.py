"""Which codes of findings count: prefixes to select and to ignore, read as ruff reads them.

The longest prefix that fits a code decides, and `ignore` where both are equally long. What ends a run, or says that nothing
was checked, cannot be ignored: GC9 but for GC902, an exception of the subject in single cases.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from gradcheck.errors import UsageError
from gradcheck.report.codes import Code

LASTING = frozenset(c for c in Code if c.name.startswith("GC9")) - {Code.GC902}
"""Codes that are never ignored."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Prefixes such as GC4 or GC402; select empty: all codes. Made by `selection`, which checks them."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether any code is ignored."""
        return bool(self.select or self.ignore)

    def ignores(self, code: Code) -> bool:
        """Whether a finding with this code does not count."""
        if code in LASTING:
            return False
        selected = _longest(self.select, code) if self.select else 0
        ignored = _longest(self.ignore, code)
        return selected < 0 or ignored >= max(selected, 0)


def selection(select: str | Iterable[str] | None = None, ignore: str | Iterable[str] | None = None) -> Selection:
    """The checked selection. Raises UsageError for what is no code or prefix, and for what cannot be ignored."""
    chosen, left = _prefixes("select", select), _prefixes("ignore", ignore)
    for prefix in left:
        lasting = sorted(c.name for c in LASTING if c.name.startswith(prefix))
        if prefix == "GC" or lasting:
            msg = f"ignore: {prefix} covers {lasting[0]}, which says that nothing was verified; it cannot be ignored"
            raise UsageError(msg)
    return Selection(chosen, left)


def _prefixes(option: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else list(given or ())
    if not all(isinstance(t, str) for t in texts):
        msg = f"{option}: expected codes or prefixes such as GC4 or GC402, got {given!r:.60}"
        raise UsageError(msg)
    names = [p.strip().upper() for t in texts for p in re.split(r"[,\s]+", t) if p.strip()]
    for name in names:
        if not name.startswith("GC") or not any(c.name.startswith(name) for c in Code):
            raise UsageError(f"{option}: no code of a finding begins with {name!r}; {_hint(name)}")
    return tuple(dict.fromkeys(names))


def _hint(name: str) -> str:
    known = sorted({c.name[:n] for c in Code for n in (3, 4, 5)}, key=lambda p: (-len(p), p))
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "write a code such as GC402 or a prefix such as GC4"


def _longest(prefixes: Sequence[str], code: Code) -> int:
    return max((len(p) for p in prefixes if code.name.startswith(p)), default=-1)
