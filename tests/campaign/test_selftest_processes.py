"""A mutant that hangs and catches the alarm ends its process, and no more."""

from pathlib import Path

from gradcheck.campaign.selftest import Setup, selftest
from gradcheck.faults.outcomes import Plan

TRAP = '''def calm(n: int) -> None:
    """Endless, and deaf, from n = 4 on."""
    if n > 3:
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass


def forward('''


def test_a_trap_costs_one_mutant():
    """`n > 3` became `n >= 3`: lost, and counted as found; the others are judged as before."""
    path = Path(__file__).parents[2] / "reference" / "from_to_bias_row.py"
    text = path.read_text(encoding="utf-8").replace("def forward(", TRAP)
    text = text.replace("    z: dict[int, Vector] = {}\n", "    calm(3)\n    z: dict[int, Vector] = {}\n")
    plan = Plan(cases=30, examples=15, limit=26, diagnosed=0, seed=1, time_limit=0.2, jobs=1)
    found = selftest(Setup(plan, text, str(path)), catalogue=False)
    assert (found.mutants.run, found.exit_code) == (26, 0)
    assert found.mutants.how["crash"] >= 1
