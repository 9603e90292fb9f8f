"""What a self-test was to do and what came of it, as plain values with a JSON form."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["equivalent", "constant", "unstable", "blind spot"]
KINDS: Mapping[Kind, str] = {
    "equivalent": "gives the original's answers, to the bit or within rounding",
    "constant": "the cost differs by what no parameter changes, and the gradient is right: that is not judged",
    "unstable": "right on paper, and reported as numerically unstable, not as a wrong gradient",
    "blind spot": "observable, and not found",
}
_STRUCTURE = frozenset({"missing", "count", "type", "shape", "dtype", "nonfinite", "contract"})
_EFFECTS = frozenset({"mutation", "aliasing", "nondeterminism", "stale_state", "accumulation"})
_ENDS = frozenset({"timeout", "memory", "crash", "exit", "protocol"})


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    cases: on how many a survivor must give the original's answers to count as equivalent. examples: cases of a
    verification. limit: mutants at most, sampled evenly over operators (None: all). faults: of the catalogue at most
    (None: all). diagnosed: about how many of each are diagnosed too. budget: seconds after which nothing new is begun.
    time_limit: seconds a call of a mutant may take. jobs: processes; the outcome does not depend on it.
    """

    cases: int = 2000
    examples: int = 200
    limit: int | None = None
    faults: int | None = None
    diagnosed: int = 40
    budget: float | None = None
    seed: int = 0
    time_limit: float = 2.0
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mistake that was not found, and why."""

    what: str
    operator: str
    line: int
    reason: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """How well mistakes that were found were diagnosed.

    count: how many were looked at. placed: equation and layer right (of a mutant: the layer). named: a name among the
    explanations. wrong: what was named, and does not give the gradient on cases the diagnosis has not seen.
    """

    count: int = 0
    placed: int = 0
    named: int = 0
    wrong: tuple[str, ...] = ()

    def __add__(self, other: "Diagnosed") -> "Diagnosed":
        """Both together."""
        return Diagnosed(
            self.count + other.count,
            self.placed + other.placed,
            self.named + other.named,
            (*self.wrong, *other.wrong),
        )


@dataclass(frozen=True, slots=True)
class CatalogueResult:
    """Faults planted in the trusted network and in layers: how many could be seen, and were found.

    invisible: no random case shows them. layer: whose faults they are, where they are of one alone.
    """

    planted: int
    visible: int
    found: int
    diagnosed: Diagnosed = field(default_factory=Diagnosed)
    missed: tuple[str, ...] = ()
    invisible: tuple[str, ...] = ()
    how: Mapping[str, int] = field(default_factory=dict)
    layer: str = ""


@dataclass(frozen=True, slots=True)
class MutantResult:
    """Mutants of a file: how many there are, were run, were observable, and were found.

    how: by what they gave themselves away. place: what a diagnosis says where.
    """

    file: str
    possible: int
    run: int
    observable: int
    killed: int
    survivors: tuple[Survivor, ...] = ()
    diagnosed: Diagnosed = field(default_factory=Diagnosed)
    how: Mapping[str, int] = field(default_factory=dict)
    place: str = "the layer"

    @property
    def rate(self) -> float:
        """Killed over observable; 1 where none is observable."""
        return self.killed / self.observable if self.observable else 1.0

    def count(self, kind: Kind) -> int:
        """Survivors of one kind."""
        return sum(s.kind == kind for s in self.survivors)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The outcome; a part is None where it was not run. refused: why the file could not be mutated, empty otherwise."""

    plan: Plan
    catalogue: CatalogueResult | None = None
    mutants: MutantResult | None = None
    notes: tuple[str, ...] = ()
    refused: str = ""

    @property
    def passed(self) -> bool:
        """Whether something was planted, every visible fault found and every observable mutant killed."""
        c, m = self.catalogue, self.mutants
        found = (c is None or c.found == c.visible) and (m is None or m.killed == m.observable)
        return found and self.planted > 0 and not self.refused

    @property
    def planted(self) -> int:
        """Mistakes that could have been found."""
        return (self.catalogue.visible if self.catalogue else 0) + (self.mutants.observable if self.mutants else 0)

    @property
    def exit_code(self) -> int:
        """0 all found, 1 a blind spot, 4 nothing planted: the file is not correct itself, or no time was left."""
        if self.refused or not self.planted:
            return 4
        return 0 if self.passed else 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; the number of processes is left out, since nothing depends on it."""
        plan = {k: v for k, v in asdict(self.plan).items() if k != "jobs"}
        return {"passed": self.passed, **asdict(self), "plan": plan}


def ways(found: Counter[str]) -> dict[str, int]:
    """Counts by what a mistake gives itself away, from the names of the ladder's faults and of failures."""
    groups: Counter[str] = Counter()
    for how, count in found.items():
        groups[_way(how)] += count
    return dict(groups.most_common())


def _way(how: str) -> str:
    if how in _STRUCTURE:
        return "structure"
    if how in _EFFECTS:
        return "effects"
    if how in ("exception", "load", "unsupported"):
        return "exception"
    return how if how in _ENDS or how == "nothing checked" else "wrong numbers"
