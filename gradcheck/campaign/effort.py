"""How many cases a campaign takes where nobody said: until what it can state is stated, no fewer than a floor, no more than a
ceiling.

kind    what a case is an example of: one of its activations, its head (output activation and cost), its depth, λ = 0 or not,
        one sample or several, a square layer, a unit on the kink of an activation; and each tensor whose gradient it judged
met     a case of the kind had power: an error of one part in a thousand would have been seen (or it found something)

Every kind that the repertoire can draw is to be met `MET` times; one that was drawn `TRIED` times is waited for no longer,
and named. The decision follows from the outcomes in the order of the stream: from the seed alone, for any number of
processes. The corner cases come first and are fewer than the floor in a narrow repertoire: they find most mistakes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from gradcheck.campaign.outcome import Options
from gradcheck.checks import Examination
from gradcheck.checks.differences import FD_NO_POWER
from gradcheck.checks.ladder import NO_POWER
from gradcheck.networks import Case, forward_once
from gradcheck.networks.repertoire import Repertoire

MET = 3
TRIED = 12
FLOOR = 64
CEILING = 400
MOST = 4
"""Kinds that were met too seldom, named in the report."""


def most(options: Options) -> int:
    """Cases at most: what was asked for, or the ceiling."""
    return CEILING if options.adaptive else options.max_examples


@dataclass(slots=True)
class Effort:
    """What has been met so far, and whether that is enough."""

    options: Options
    repertoire: Repertoire
    _wanted: frozenset[str] = frozenset()
    _met: Counter[str] = field(default_factory=Counter)
    _drawn: Counter[str] = field(default_factory=Counter)
    _cases: int = 0
    _enough: bool = False

    def __post_init__(self) -> None:
        self._wanted = frozenset(wanted(self.repertoire))

    @property
    def most(self) -> int:
        """Cases at most."""
        return most(self.options)

    @property
    def enough(self) -> bool:
        """Whether what can be stated is stated; never where a number of cases was asked for."""
        return self._enough and self.options.adaptive

    @property
    def expected(self) -> int:
        """Cases in all as far as can be told, for a progress bar."""
        return FLOOR if self.options.adaptive and self._cases < FLOOR else self.most

    def take(self, case: Case, examination: Examination | None, *, silent: bool, trusted: bool) -> None:
        """Book a case of the stream. examination: None where the subject failed, which tells as much. silent: no evidence."""
        if not self.options.adaptive:
            return
        self._cases += 1
        kinds, tensors = set(kinds_of(case)), set(case.architecture.shapes())
        seen = set() if silent else tensors & _seen(tensors, examination, NO_POWER if trusted else FD_NO_POWER)
        self._drawn.update(kinds | tensors)
        self._met.update(kinds | seen if seen else ())
        self._enough = self._cases >= FLOOR and not any(self._open())

    def _open(self) -> Iterator[str]:
        """Kinds that more cases may still meet."""
        return (k for k in self._wanted if self._met[k] < MET and self._drawn[k] < TRIED)

    def ended(self, done: int) -> str:
        """What ended a campaign that was ended neither by a finding nor by its budget."""
        if not self.options.adaptive:
            return f"the {self.options.max_examples} cases that were asked for"
        if self.enough:
            return f"power reached after {done} cases"
        return f"{done} cases, the most unless --max-examples asks for more"

    def met(self) -> str:
        """What an adaptive campaign has met, for the report."""
        missed = sorted(k for k in self._wanted if self._met[k] < MET)
        more = f" and {len(missed) - MOST} more" if len(missed) > MOST else ""
        few = f"; only {', '.join(f'{k} {self._met[k]}×' for k in missed[:MOST])}{more}" if missed else ""
        kinds = "kinds of case (activations, costs, depths, tensors …)"
        return (
            f"{len(self._wanted) - len(missed)} of {len(self._wanted)} {kinds} met with power {MET} times or more{few}"
        )


def _seen(tensors: set[str], examination: Examination | None, worth: float) -> set[str]:
    """The tensors in which a mistake would have been seen, or was."""
    if examination is None or examination.fault is not None:
        return tensors
    return {n for n, p in examination.power.items() if p <= worth}


def wanted(r: Repertoire) -> Iterator[str]:
    """The kinds that a repertoire can draw."""
    low, high = r.depths
    inner = () if r.one_activation or high < 2 else r.hidden
    for f in inner:
        yield f"hidden {f.name}"
        yield from (f"{f.name} at its kink",) if f.kinks else ()
    yield from {f"{h.activation.name} with {h.cost.name}" for h in r.heads}
    depths = range(low, high + 1) if r.fixed is None else (len(r.fixed) - 1,)
    yield from (f"depth {n}" for n in depths)
    yield from (f"W{l}" for l in range(1, max(depths) + 1))
    yield from (f"b{l}" for l in range(1, max(depths) + 1) if r.bias)
    yield from ("λ = 0", "λ > 0") if r.l2 else ()
    yield from ("one sample",) if r.samples[0] == 1 else ()
    yield from ("several samples",) if r.samples[1] > 1 else ()
    yield from ("a square layer",) if r.fixed is None and r.widths[1] > 1 else ()


def kinds_of(case: Case) -> Iterator[str]:
    """The kinds that a case is an example of, its tensors apart."""
    a = case.architecture
    names = a.activation_names
    yield from (f"hidden {f}" for f in names[:-1])
    yield f"{names[-1]} with {a.cost.name}"
    yield f"depth {a.depth}"
    yield "λ > 0" if a.regularisation.strength else "λ = 0"
    yield "one sample" if case.samples == 1 else "several samples"
    yield from ("a square layer",) if any(m == n > 1 for m, n in a.shapes().values()) else ()
    z = forward_once(case)[0]
    for l, layer in enumerate(a.layers[:-1], start=1):
        yield from (f"{layer.activation.name} at its kink" for k in layer.activation.kinks if (z[l] == k).any())
