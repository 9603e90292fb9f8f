"""Cases from a few bytes each: what a campaign draws by the thousand, many cases to one Hypothesis example.

A choice costs Hypothesis about as much as a small network costs numpy; so all choices of a network are one draw of bytes here,
and many networks are one example. Every byte is read monotonically, b -> floor(n b / 256): smaller bytes are simpler choices,
and zeros are the smallest network. What is found is shrunk with `cases`, choice by choice.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from gradcheck.networks import Architecture, Case
from gradcheck.networks.repertoire import Repertoire
from gradcheck.networks.sampling import Regime, sample_case
from gradcheck.strategies.networks import DIGITS, LAMBDAS, STYLES, USUAL, build, labelled, styled, wide_enough

T = TypeVar("T")
_SEED = 4
_HEAD = ("depth", "style", "first", "last", "head", "strength", "samples", "regime", "digits", "hard")


def encoded_cases(repertoire: Repertoire, count: int = 16) -> st.SearchStrategy[list[bytes]]:
    """Encodings of `count` cases of a repertoire, for `decoded`."""
    n = length(repertoire)
    return st.binary(min_size=count * n, max_size=count * n).map(lambda b: [b[k : k + n] for k in range(0, len(b), n)])


def length(repertoire: Repertoire) -> int:
    """Bytes of one case: its choices, two for each hidden layer that it may have, and the seed of its numbers."""
    return len(_HEAD) + 2 * (repertoire.depths[1] - 1) + _SEED


def decoded(code: bytes, repertoire: Repertoire, regimes_among: Sequence[Regime] = USUAL) -> Case:
    """The case of an encoding: the same bytes, the same case."""
    choice = dict(zip(_HEAD, code, strict=False))
    samples = _between(choice["samples"], repertoire.samples)
    regime, digits = _of(choice["regime"], regimes_among), _of(choice["digits"], DIGITS)
    architecture, hard = _architecture(code, repertoire, choice), choice["hard"] >= 128
    case = sample_case(architecture, samples, _numbers(code), regime, digits, hard)
    return labelled(case, repertoire, int.from_bytes(code[-_SEED:], "big"))


class _Reused(threading.local):
    """One generator a thread: a new one for each case would cost several times what its state costs."""

    def __init__(self) -> None:
        self.bits = np.random.PCG64(0)
        self.generator = np.random.Generator(self.bits)


_REUSED = _Reused()
_INCREMENT = int.from_bytes(hashlib.blake2b(b"gradcheck", digest_size=16).digest(), "big") | 1
"""Any odd number chooses the stream of PCG64 (O'Neill 2014)."""


def _numbers(code: bytes) -> np.random.Generator:
    """The numbers of an encoding, for one case: the state is a hash of it, so that no two cases share a stretch of a stream."""
    state = int.from_bytes(hashlib.blake2b(code, digest_size=16).digest(), "big")
    _REUSED.bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": _INCREMENT},
        "has_uint32": 0,
        "uinteger": 0,
    }
    return _REUSED.generator


def _architecture(code: bytes, r: Repertoire, choice: Mapping[str, int]) -> Architecture:
    depth = _between(choice["depth"], r.depths)
    layers = code[len(_HEAD) : len(_HEAD) + 2 * (depth - 1)]
    units = [_between(b, r.widths) for b in layers[::2]]
    ends = _between(choice["first"], r.widths), _between(choice["last"], r.output_widths)
    widths = list(r.fixed) if r.fixed else styled(_of(choice["style"], STYLES), units, ends, r)
    head = _of(choice["head"], r.heads)
    wide_enough(widths, head, r)
    hidden = [head.activation if r.one_activation else _of(b, r.hidden) for b in layers[1::2]]
    strength = _of(choice["strength"], LAMBDAS) if r.l2 else 0.0
    return build(r, widths, [*hidden, head.activation], head, strength)


def _of(byte: int, among: Sequence[T]) -> T:
    return among[byte * len(among) >> 8]


def _between(byte: int, limits: tuple[int, int]) -> int:
    low, high = limits
    return low + (byte * (high - low + 1) >> 8)
