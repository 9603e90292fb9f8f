"""The checker checked: plant mistakes that are known, and see that the campaign finds each, and that it is placed and named.

catalogue  every fault of the catalogue in the trusted network, and mistakes of state
mutants    small edits of the syntax tree of a correct file, forward and backward pass

A mutant is observable if cost or gradient differ from the original, by more than rounding, on one of many random cases. It is
killed if a verification of the usual size, with the conventions of the original, does not pass. Deterministic from a seed.
"""

from gradcheck.campaign.selftest.run import Progress, selftest
from gradcheck.campaign.selftest.setup import Setup

__all__ = ["Progress", "Setup", "selftest"]
