"""Lines of a transcription: every value is written once, and only what the results need.

All expressions are pure, so that equal text is equal value. It must not know jaxprs.
"""

import re
from collections.abc import Sequence

_NAME = re.compile(r"\bv\d+\b")


class Lines:
    """Assignments `v7 = expression` in order; v0, v1, … are this object's own names."""

    def __init__(self) -> None:
        self._names = 0
        self._of: dict[str, str] = {}

    def fresh(self) -> str:
        """A name that nothing has yet."""
        self._names += 1
        return f"v{self._names - 1}"

    def add(self, expression: str) -> str:
        """The name of an expression's value; a new line where it has none yet."""
        if expression not in self._of:
            self._of[expression] = self.fresh()
        return self._of[expression]

    def used_by(self, results: Sequence[str], more: Sequence[str] = ()) -> list[str]:
        """The lines that the results (and the texts in `more`) need, directly or through others."""
        needed = {name for text in (*results, *more) for name in _NAME.findall(text)}
        kept = []
        for expression, name in reversed(self._of.items()):
            if name in needed:
                needed.update(_NAME.findall(expression))
                kept.append(f"{name} = {expression}")
        return kept[::-1]
