"""Laws that need no oracle: a pullback B is linear in its cotangent, and depends on it.

B(0) = 0 · B(2u) = 2 B(u) · B(u + v) = B(u) + B(v). Scaling by two is exact in floating point; the sum may round, by what
numbers moved in the last place do to each term. They see no wrong but linear Jacobian.
"""

import numpy as np

from gradcheck.checks.examination import Examination, Fault
from gradcheck.networks import OperationCase
from gradcheck.numerics import Array, Arrays
from gradcheck.subjects.function import ROUNDOFF
from gradcheck.subjects.protocol import Pullback

_SINGLE = 2.0**-24
"""Below some of its roundings a violation is one of precision, which other checks name, and not of the law."""
_SAFETY = 1e3


def linear(case: OperationCase, pullback: Pullback, claim: Arrays) -> Examination | None:
    """The law that the pullback breaks, None where it keeps all or its numbers are not finite."""
    generator = np.random.default_rng([11, case.cotangent.size])
    u, v = case.cotangent, generator.standard_normal(case.cotangent.shape)
    at = {
        "u": claim,
        **{k: pullback(ct).gradient for k, ct in {"v": v, "0": 0 * u, "-u": -u, "2u": 2 * u, "u+v": u + v}.items()},
    }
    names = [n for n in claim if all(n in g and np.isfinite(g[n]).all() for g in at.values())]
    ignored = [n for n in names if np.any(claim[n]) and _equal([at[k][n] for k in ("u", "v", "-u", "0")])]
    if ignored:
        message = f"the gradient of {', '.join(ignored)} is the same for every upstream gradient: multiply by it"
        return Examination(Fault.UPSTREAM_IGNORED, "laws", message, ignored[0], wrong=tuple(ignored))
    for words, left, right in (
        ("B(0) is not 0: a term of it lacks the upstream gradient", ("0",), ()),
        ("B(2u) is not 2 B(u)", ("2u",), ("u", "u")),
        ("B(u + v) is not B(u) + B(v)", ("u+v",), ("u", "v")),
    ):
        wrong = [
            n for n in names if _differ([at[k][n] for k in left], [at[k][n] for k in right], _Noise(case, pullback, n))
        ]
        if wrong:
            message = f"the gradient of {', '.join(wrong)} is not linear in the upstream gradient: {words}"
            return Examination(Fault.NOT_LINEAR, "laws", message, wrong[0], wrong=tuple(wrong))
    return None


def _equal(arrays: list[Array]) -> bool:
    return all(np.array_equal(arrays[0], a) for a in arrays[1:])


def _differ(left: list[Array], right: list[Array], noise: "_Noise") -> bool:
    """Whether two sums differ by more than rounding; the noise is asked for only where they differ at all."""
    difference = float(np.max(np.abs(sum(left) - sum(right)), initial=0.0))
    size = max([float(np.max(np.abs(a), initial=0.0)) for a in (*left, *right)])
    return difference > 128 * noise.unit * size + 1e-300 and (not right or difference > noise.bound())


class _Noise:
    """What moving a cotangent in its last place does to one gradient, the largest of three trials, with a safety factor."""

    def __init__(self, case: OperationCase, pullback: Pullback, name: str) -> None:
        self._case, self._pullback, self._name = case, pullback, name

    @property
    def unit(self) -> float:
        """Unit roundoff of the coarsest precision that may be at work."""
        return max(ROUNDOFF[self._case.dtype], _SINGLE)

    def bound(self) -> float:
        """0 for an exactly smooth pullback."""
        generator, u = np.random.default_rng(5), self._case.cotangent
        eps = 2 * ROUNDOFF[self._case.dtype]
        base = self._pullback(u).gradient[self._name]
        moved = [self._pullback(u * (1 + eps * generator.integers(-2, 3, u.shape))) for _ in range(3)]
        return _SAFETY * max(float(np.max(np.abs(m.gradient[self._name] - base), initial=0.0)) for m in moved)
