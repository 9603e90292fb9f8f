"""Draws in balance: no head and no hidden activation of a repertoire is drawn far more often than another.

Left to luck, the rarest of forty heads is met once where the usual one is met ten times, and a unit on the kink of a given
activation hardly ever. Here each choice falls on what was drawn least, and the byte that was drawn decides among those. What
is drawn depends on the bytes alone, not on what came of earlier cases: the same seed gives the same cases.
"""

from collections.abc import Iterable

from gradcheck.networks.repertoire import Repertoire
from gradcheck.strategies.encoded import _HEAD, _between, _of
from gradcheck.strategies.networks import USUAL

_DEPTH, _HEAD_BYTE, _REGIME, _WHICH = (_HEAD.index(name) for name in ("depth", "head", "regime", "hard"))


class Balance:
    """Turns encodings (`encoded_cases`) into encodings that are in balance, and keeps count of them."""

    def __init__(self, repertoire: Repertoire) -> None:
        heads, hidden = enumerate(repertoire.heads), enumerate(repertoire.hidden)
        kinked_heads = {k for k, h in heads if h.activation.kinks or h.cost.kinks is not None}
        self._depths, self._one = repertoire.depths, repertoire.one_activation
        self._heads = dict.fromkeys(range(len(repertoire.heads)), 0)
        self._hidden = dict.fromkeys(range(len(repertoire.hidden)), 0)
        self._at_kink = {k: 0 for k, f in hidden if f.kinks}
        self._smooth_heads = self._heads.keys() - kinked_heads or self._heads.keys()

    def balanced(self, code: bytes) -> bytes:
        """The encoding with its head and its hidden activations chosen among those that were drawn least.

        Of the cases with a unit on a kink all those with hidden layers but one in four have the same kinked activation in all
        of these, the one that was drawn least, behind a smooth head if there is one.
        """
        chosen = bytearray(code)
        depth = _between(code[_DEPTH], self._depths)
        positions = range(len(_HEAD) + 1, len(_HEAD) + 2 * (depth - 1), 2)
        kinked = self._kinked(code[_REGIME], code[_WHICH]) and depth > 1
        one = _least(self._at_kink, code[positions[0]]) if kinked else None
        heads = self._smooth_heads if kinked else self._heads
        chosen[_HEAD_BYTE] = _byte(_least(self._heads, code[_HEAD_BYTE], heads), len(self._heads))
        for position in positions:
            which = _least(self._hidden, code[position]) if one is None else one
            chosen[position] = _byte(which, len(self._hidden))
        return bytes(chosen)

    def _kinked(self, regime: int, which: int) -> bool:
        return bool(self._at_kink) and not self._one and _of(regime, USUAL) == "at_kink" and which % 4 > 0


def _least(counts: dict[int, int], byte: int, among: Iterable[int] | None = None) -> int:
    """One of those with the smallest count, which it raises."""
    possible = sorted(counts if among is None else among)
    smallest = min(counts[k] for k in possible)
    which = _of(byte, [k for k in possible if counts[k] == smallest])
    counts[which] += 1
    return which


def _byte(which: int, count: int) -> int:
    """The smallest byte that is read as `which` of `count` choices."""
    return -(-which * 256 // count)
