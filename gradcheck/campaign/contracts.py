"""What a network's case keeps while it becomes smaller or simpler: legal targets, its distance from kinks, the usual range."""

import numpy as np

from gradcheck.checks.ladder import clips_probabilities, extreme
from gradcheck.networks import Case
from gradcheck.networks.sampling import MARGIN, kink_distance


class Contracts:
    """Whether a case of the same network keeps the contracts of the first: legal targets, kinks, and the usual range."""

    def __init__(self, case: Case) -> None:
        self.room, self.extreme, self.clipped = kink_distance(case), extreme(case), clips_probabilities(case)

    def __call__(self, case: Case) -> bool:
        room = kink_distance(case)
        away = room >= min(MARGIN, self.room) or (room == 0.0 == self.room)
        usual = extreme(case) is self.extreme and (self.clipped or not clips_probabilities(case))
        return _legal(case) and away and usual


def _legal(case: Case) -> bool:
    y, kind = case.targets, case.architecture.cost.targets
    if kind == "real":
        return True
    within = bool(np.all((y >= 0) & (y <= 1)))
    return within and (kind == "unit_interval" or bool(np.all(np.abs(y.sum(axis=0) - 1) < 1e-9)))
