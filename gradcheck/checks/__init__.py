"""The ladder of checks, the comparison of estimates, and the recognition of conventions."""

from gradcheck.checks.comparison import Comparison, Discrepancy, compare
from gradcheck.checks.ladder import Examination, Fault, examine
from gradcheck.checks.recognition import Recognition, Wanted, recognise
from gradcheck.checks.whole import with_whole

__all__ = [
    "Comparison",
    "Discrepancy",
    "Examination",
    "Fault",
    "Recognition",
    "Wanted",
    "compare",
    "examine",
    "recognise",
    "with_whole",
]
