"""The smallest relative error that is found half the time: ``python -m tests.benchmarks.sensitivity``.

A right claim is made wrong by the factor 1 + e in one weight matrix, in one column of one, or in one entry; bisection over
log e gives the smallest e that a checker sees at that case, and the table its median over random smooth networks. Ours: the
jax oracle, and finite differences of the subject's own cost alone. Peers as in `peers`; those that need a forward pass for
every parameter stop where that takes minutes. The stated power is put to the test as well: errors of just the size that a
pass says it would have seen are planted in random components, and on whole tensors.

Target, row by row: ours is no larger than that of any peer. Rows that are lost are printed, and the exit code is 1.
"""

from tests.benchmarks.output import one_thread

one_thread()

import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Iterator, Mapping  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402

import numpy as np  # noqa: E402

from gradcheck.checks import compare, with_whole  # noqa: E402
from gradcheck.checks.ladder import Oracles, against_own  # noqa: E402
from gradcheck.networks import Architecture, Case, Dense, activation_named, cost_named  # noqa: E402
from gradcheck.networks.sampling import sample_case  # noqa: E402
from gradcheck.numerics import Array, Estimate  # noqa: E402
from tests.benchmarks import output, peers  # noqa: E402
from tests.benchmarks.engine import corners  # noqa: E402
from tests.benchmarks.subjects import subject_named  # noqa: E402

SITES = ("tensor", "column", "entry")
OURS = ("gradcheck", "own differences")
SUBJECT = "logits"
SMALLEST, LARGEST, HALVINGS = -17.0, 1.0, 10
FULL_SIZES = {50: 40, 500: 24, 5_000: 10, 50_000: 6, 1_000_000: 4}
QUICK_SIZES = {50: 6, 1_000: 2}
LIMITS = {"torch slow": 600, "scipy check_grad": 600, "cs231n": 6_000, "np.allclose": 6_000}
"""Most parameters for which a peer is asked."""
HEADS = (("identity", "mse"), ("sigmoid", "bce"), ("softmax", "cross_entropy"), ("tanh", "mse"))
HIDDEN = ("tanh", "sigmoid", "softplus", "gelu_tanh")


@dataclass
class Found:
    """Thresholds by (dtype, P, site, checker): inf where even e = 10 passes, NaN where the right claim is flagged."""

    thresholds: dict[tuple[str, int, str, str], list[float]] = field(default_factory=dict)
    power: dict[tuple[str, int, str], list[tuple[bool, bool]]] = field(default_factory=dict)

    def add(self, other: "Found") -> None:
        """Take another part in."""
        for key, values in other.thresholds.items():
            self.thresholds.setdefault(key, []).extend(values)
        for size, pairs in other.power.items():
            self.power.setdefault(size, []).extend(pairs)


def network(parameters: int, dtype: str, generator: np.random.Generator) -> Case:
    """Three layers with about so many parameters, smooth, four samples."""
    output_name, cost = HEADS[int(generator.integers(0, len(HEADS)))]
    n, outputs = (4, 3) if parameters < 5_000 else (20, 10)
    linear = n + outputs + 2
    h = max(2, round((-linear + math.sqrt(linear**2 + 4 * (parameters - outputs))) / 2))
    hidden = [HIDDEN[int(k)] for k in generator.integers(0, len(HIDDEN), 2)]
    layers = [Dense(u, activation_named(f)) for u, f in zip((h, h, outputs), (*hidden, output_name), strict=True)]
    architecture = Architecture(n, tuple(layers), cost_named(cost), dtype=dtype)  # type: ignore[arg-type]
    return sample_case(architecture, 4, generator)


def part(task: tuple[int, str, int, int]) -> Found:
    """One case: every checker's threshold at every site."""
    seed, dtype, size, number = task
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    generator = np.random.default_rng([seed, size, number, dtype == "float32"])
    case, subject = network(size, dtype, generator), subject_named(SUBJECT)
    examination, oracles = corners(subject, case)
    found = Found()
    if oracles is None or oracles.trusted is None:
        return found
    problem = peers.problem_of(subject, case)
    for site in SITES:
        plant = planter(oracles.claim.value, site, generator)
        for name, check in _ours(oracles).items():
            found.thresholds[dtype, size, site, name] = [threshold(lambda e, c=check, p=plant: c(p(e)))]
        for name in peers.installed() if problem is not None else []:
            if size <= LIMITS.get(name, size):
                found.thresholds[dtype, size, site, name] = [_peer_threshold(name, problem, plant)]  # type: ignore[arg-type]
    check = _ours(oracles)["gradcheck"]
    claim = {n: np.array(g) for n, g in oracles.claim.value.items()}
    found.power[dtype, size, "one component"] = _planted_in_components(check, claim, examination.power, generator)
    found.power[dtype, size, "all by one factor"] = _planted_on_tensors(check, claim, examination.whole, generator)
    return found


Claim = dict[str, Array]


def planter(claim: object, site: str, generator: np.random.Generator) -> Callable[[float], Claim]:
    """e -> the claim with the factor 1 + e at one site of a random weight matrix."""
    right = {n: np.array(g) for n, g in dict(claim).items()}  # type: ignore[call-overload]
    names = [n for n, g in right.items() if n[0] == "W" and np.any(g)]
    name = names[int(generator.integers(0, len(names)))]
    i, j = (int(k) for k in _some(np.argwhere(right[name]), generator))
    where = {"tensor": np.s_[:, :], "column": np.s_[:, j], "entry": np.s_[i, j]}[site]

    def plant(e: float) -> Claim:
        wrong = {**right, name: right[name].copy()}
        wrong[name][where] *= 1 + e
        return wrong

    return plant


def _some(rows: Array, generator: np.random.Generator) -> Array:
    return np.asarray(rows[int(generator.integers(0, len(rows)))])


def _ours(oracles: Oracles) -> dict[str, Callable[[Claim], bool]]:
    error, trusted, own = oracles.claim.error, oracles.trusted, oracles.own
    assert trusted is not None

    def by_jax(claim: Claim) -> bool:
        estimate = Estimate(claim, error, "claim")
        return not with_whole(compare(estimate, trusted), estimate, trusted, oracles.whole).agrees

    def by_differences(claim: Claim) -> bool:
        return any(r is not None and not r <= 1 for r in against_own(Estimate(claim, error, "claim"), own).values())

    return {"gradcheck": by_jax, "own differences": by_differences}


def _peer_threshold(name: str, problem: peers.Problem, plant: Callable[[float], Claim]) -> float:
    def check(e: float) -> bool:
        problem.gradient = plant(e)
        return peers.flags(name, problem)

    return threshold(check)


def threshold(found: Callable[[float], bool]) -> float:
    """The smallest e that is found, by bisection of log e; NaN when e = 0 is "found", inf when e = 10 is not."""
    if found(0.0):
        return float("nan")
    low, high = SMALLEST, LARGEST
    if not found(10.0**high):
        return float("inf")
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(10.0**middle) else (middle, high)
    return float(10.0**high)


def _planted_in_components(
    check: Callable[[Claim], bool], right: Claim, power: Mapping[str, float], generator: np.random.Generator
) -> list[tuple[bool, bool]]:
    """Per tensor: whether an error of the stated size in a random component is found, and one of twice that size."""
    pairs = []
    for name, stated in power.items():
        if not np.isfinite(stated) or name not in right:
            continue
        size = stated * float(np.max(np.abs(right[name])))
        index = np.unravel_index(int(generator.integers(0, right[name].size)), right[name].shape)
        error = np.zeros(right[name].shape)
        error[index] = size * _sign(generator)
        pairs.append(_seen(check, right, name, error))
    return pairs


def _planted_on_tensors(
    check: Callable[[Claim], bool], right: Claim, whole: Mapping[str, float], generator: np.random.Generator
) -> list[tuple[bool, bool]]:
    """Per tensor that is judged as a whole: the same of a factor, 1 ± the stated size, on all of its components."""
    return [_seen(check, right, n, stated * _sign(generator) * right[n]) for n, stated in whole.items()]


def _sign(generator: np.random.Generator) -> float:
    return 1.0 if generator.integers(0, 2) else -1.0


def _seen(check: Callable[[Claim], bool], right: Claim, name: str, error: Array) -> tuple[bool, bool]:
    once, twice = (check({**right, name: right[name] + k * error}) for k in (1.0, 2.0))
    return once, twice


def main() -> int:
    """Run, report, judge."""
    p = output.parser(__doc__.splitlines()[0])
    p.add_argument("--sizes", help="numbers of parameters, separated by commas")
    arguments = p.parse_args()
    sizes = QUICK_SIZES if arguments.quick else FULL_SIZES
    if arguments.sizes:
        sizes = {int(s): FULL_SIZES.get(int(s), 8) for s in arguments.sizes.split(",")}
    # the largest first: two processes then end together
    order = sorted(sizes, reverse=True)
    tasks = [(arguments.seed, d, s, k) for s in order for d in ("float64", "float32") for k in range(sizes[s])]
    started, found = time.monotonic(), Found()
    for result in output.spread(part, tasks, arguments.jobs):
        found.add(result)
    checkers = [*OURS, *peers.installed()]
    wrong = [k for k, v in found.thresholds.items() if k[3] == "gradcheck" and any(math.isnan(t) for t in v)]
    missed = [f"{dtype}, P = {size}: a right claim was flagged" for dtype, size, *_ in wrong]
    unseen = sum(not twice for pairs in found.power.values() for _, twice in pairs)
    missed += [f"{unseen} errors of twice the stated size were not found"] if unseen else []
    missed += list(_lost(found, sizes))
    figures = {
        "smallest_found_half_the_time": {
            d: {str(s): {c: _figure(found.thresholds.get((d, s, "tensor", c), [])) for c in checkers} for s in sorted(sizes)}
            for d in ("float64", "float32")
        },
        "stated_power_found": _share([once for pairs in found.power.values() for once, _ in pairs]),
        "twice_stated_power_found": _share([twice for pairs in found.power.values() for _, twice in pairs]),
        "peers_skipped": peers.skipped(),
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    return output.finish("sensitivity", arguments, _text(found, sizes, checkers), figures, missed)


def _share(seen: list[bool]) -> float | None:
    return round(sum(seen) / len(seen), 4) if seen else None


def _median(thresholds: list[float]) -> float:
    """NaN without any; inf where most right claims are flagged, or most errors of e = 10 pass."""
    right = [t for t in thresholds if not math.isnan(t)]
    if not thresholds:
        return float("nan")
    return float(np.median(right)) if 2 * len(right) > len(thresholds) else float("inf")


def _lost(found: Found, sizes: Mapping[int, int]) -> Iterator[str]:
    """Rows in which a peer finds a smaller error than we do."""
    for dtype in ("float64", "float32"):
        for size in sorted(sizes):
            for site in SITES:
                ours = _median(found.thresholds.get((dtype, size, site, "gradcheck"), []))
                for peer in peers.installed():
                    theirs = _median(found.thresholds.get((dtype, size, site, peer), []))
                    if theirs < ours:
                        row = f"{dtype}, P ≈ {size:,}, one {site}"
                        yield f"{row}: {output.number(ours)}, {peer} {output.number(theirs)}"


def _figure(thresholds: list[float]) -> float | str | None:
    text = _cell(thresholds)
    try:
        return float(text)
    except ValueError:
        return None if text == "–" else text


def _cell(thresholds: list[float]) -> str:
    """The median; words where most right claims are flagged, or most errors of e = 10 pass."""
    if not thresholds:
        return "–"
    right = [t for t in thresholds if not math.isnan(t)]
    if 2 * len(right) <= len(thresholds):
        return "flags right"
    middle = float(np.median(right))
    return output.number(middle) if math.isfinite(middle) else "> 10"


def _text(found: Found, sizes: dict[int, int], checkers: list[str]) -> str:
    rows = [
        (f"{d}, P ≈ {s:,}, one {site}", sizes[s], *(_cell(found.thresholds.get((d, s, site, c), [])) for c in checkers))
        for d in ("float64", "float32")
        for s in sorted(sizes)
        for site in SITES
    ]
    power = [
        (f"{d}, P ≈ {s:,}, {what}", len(pairs), *(output.percent(sum(p[k] for p in pairs), len(pairs)) for k in (0, 1)))
        for (d, s, what), pairs in sorted(found.power.items())
        if pairs
    ]
    lost = list(_lost(found, sizes))
    return "\n".join(
        [
            "# Sensitivity: the smallest relative error that is found half the time",
            "",
            f"`{output.command('sensitivity')}` · {output.versions(('torch', 'scipy'))}",
            "",
            "Median over random smooth networks of the smallest e found when one weight matrix, one column or one entry of the",
            "right gradient is multiplied by 1 + e. “flags right”: most right gradients are rejected. “> 10”: not found.",
            "“–”: not asked, a forward pass for every parameter takes too long. “gradcheck” is the jax oracle, “own",
            "differences” those of the subject's own cost alone, one direction a tensor. torch fast mode without the slow",
            "Jacobian that it computes after a rejection."
            + (f" Not installed, so skipped: {', '.join(peers.skipped())}." if peers.skipped() else ""),
            "",
            output.table(("error", "cases", *checkers), rows),
            "",
            f"Rows in which a peer finds a smaller error than “gradcheck”: {'; '.join(lost) or 'none'}.",
            "",
            "Stated power: an error of just the size that the pass states for a tensor, in a random component of it or, where",
            "float32 tensors are judged as a whole too, on all components by one factor.",
            "",
            output.table(("cases", "tensors", "found at the stated size", "found at twice the size"), power),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
