"""A sample of mutants that has every operator in it."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from gradcheck.faults.mutation import Mutant


def spread(possible: Sequence[Mutant], limit: int | None, seed: int) -> list[Mutant]:
    """At most `limit` mutants, taken in turn from every operator, in the order of the file. The same seed, the same ones."""
    if limit is None or len(possible) <= limit:
        return list(possible)
    generator = np.random.default_rng([seed, 44])
    by: dict[str, list[Mutant]] = {}
    for i in generator.permutation(len(possible)):
        by.setdefault(possible[int(i)].operator, []).append(possible[int(i)])
    turns = (queue[turn] for turn in range(len(possible)) for _, queue in sorted(by.items()) if turn < len(queue))
    chosen = set(map(id, islice(turns, limit)))
    return [m for m in possible if id(m) in chosen]
