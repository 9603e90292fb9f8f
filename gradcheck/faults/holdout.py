"""Does a diagnosis hold on cases that it has not seen? The names of all its mistakes, planted again, must give the claim."""

from collections.abc import Iterator

import numpy as np

from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import Diagnosis, Mistake
from gradcheck.faults.fault import Planting
from gradcheck.faults.matching import Claims, know, synthesise
from gradcheck.faults.sampling import draw_case
from gradcheck.networks import Case
from gradcheck.networks.repertoire import Repertoire

CASES = 40


def holds(diagnosis: Diagnosis, case: Case, repertoire: Repertoire, claims: Claims, seed: int = 987) -> bool:
    """Whether the first explanation of each mistake gives the claim on fresh cases of the depth of `case`."""
    plantings = tuple(p for mistake in diagnosis.mistakes for p in _plantings(mistake))
    generator = np.random.default_rng([seed, 46])
    fresh = (draw_case(repertoire, generator, case.architecture.depth, k % 2 == 1) for k in range(CASES))
    return all(_gives(plantings, other, claims) for other in fresh)


def _gives(plantings: tuple[Planting, ...], case: Case, claims: Claims) -> bool:
    """Whether the plantings give the claim at a case; a claim that cannot be had there proves nothing against them."""
    claim = claims(case)
    if claim is None or not all(np.all(np.isfinite(g)) for g in claim.values()):
        return True
    gradient = synthesise(case, plantings)
    known = know(case, claim, fresh=True)
    return gradient is not None and all(known.agrees(n, g) for n, g in gradient.items())


def _plantings(mistake: Mistake) -> Iterator[Planting]:
    """Where to plant the first explanation of a mistake again."""
    fault = CATALOGUE[mistake.explanations[0].fault]
    if fault.activation is not None:
        yield Planting(fault)
    else:
        yield from (Planting(fault, l) for l in mistake.layers)
