"""What a process costs: 500 cases from its start, the command line with and without isolation, and the imports alone."""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks import timing

FILE = timing.ROOT / "tests" / "files" / "tanh_mse.py"
REFERENCE = timing.ROOT / "reference" / "row_major.py"
CASES = 500
EXAMPLES = 200
_VERIFY = (
    "import gradcheck; r = gradcheck.verify({path!r}, in_process=True, max_examples={count}); "
    "print(r.verdict, r.tally.cases + r.tally.inconclusive)"
)


_SETTLE = (
    "import gradcheck, gradcheck.campaign.auditing as a; a.FRESH = a.OPEN = 99; "
    "gradcheck.verify({path!r}, in_process=True, max_examples={count})"
)


def settle(folder: str) -> None:
    """Audit in one process what the first runs of a new cache audit a few cases at a time."""
    timing.process(["-c", _SETTLE.format(path=str(REFERENCE), count=CASES)], cache_at(folder))


def cache_at(folder: str) -> dict[str, str]:
    """The environment that puts the cache of the oracle into a folder."""
    return {"GRADCHECK_CACHE_DIR": folder}


def campaign(folder: str) -> timing.Ran:
    """500 cases of the reference in a process of its own."""
    ran = timing.process(["-c", _VERIFY.format(path=str(REFERENCE), count=CASES)], cache_at(folder))
    assert ran.output.startswith("pass"), ran.output
    return ran


def cold_and_warm(rounds: int) -> tuple[float, float]:
    """CPU seconds of 500 cases with an empty cache, and with one whose rules are all audited; the least of the rounds."""
    cold, warm = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(campaign(folder).cpu)
            settle(folder)
            warm += [campaign(folder).cpu, campaign(folder).cpu]  # one run in sixteen audits again, by chance
    return min(cold), min(warm)


def command(folder: str, *, isolated: bool) -> timing.Ran:
    """`gradcheck verify` on a small file, 200 cases."""
    with tempfile.TemporaryDirectory() as elsewhere:
        options = ["--max-examples", str(EXAMPLES), "--output-format", "concise", "--no-report", "--quiet", *([] if isolated else ["--in-process"])]  # noqa: E501  # fmt: skip
        options += ["--activations", "tanh", "--costs", "mse"]
        ran = timing.process(["-m", "gradcheck", "verify", str(FILE), *options], cache_at(folder), elsewhere)
    assert ran.code == 0, ran.output
    return ran


def commands(rounds: int) -> tuple[timing.Ran, timing.Ran]:
    """(isolated, in process), the fastest of the rounds each, interleaved, the cache warm."""
    isolated, in_process = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(4):
            command(folder, isolated=False)
        for _ in range(rounds):
            isolated.append(command(folder, isolated=True))
            in_process.append(command(folder, isolated=False))
    return min(isolated, key=lambda r: r.wall), min(in_process, key=lambda r: r.wall)


def imports(rounds: int) -> dict[str, float]:
    """Milliseconds of CPU that `import gradcheck` adds to Python, and the plug-in to an empty collection of pytest."""
    codes = {"python": "pass", "gradcheck": "import gradcheck"}
    least = {name: min(timing.process(["-c", code]).cpu for _ in range(rounds)) for name, code in codes.items()}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        run = ["-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
        without = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        alone, plugged = [], []
        for _ in range(rounds):
            alone.append(timing.process(run, without, folder).cpu)
            plugged.append(timing.process([*run, "-p", "gradcheck.pytest_plugin"], without, folder).cpu)
    return {
        "gradcheck": 1e3 * (least["gradcheck"] - least["python"]),
        "plug-in": 1e3 * (min(plugged) - min(alone)),
    }


def heavy(code: str) -> list[str]:
    """Which of jax, hypothesis and numpy a piece of code imports."""
    after = f"{code}; import sys; print([m for m in ('jax', 'hypothesis', 'numpy') if m in sys.modules])"
    listed = timing.process(["-c", after]).output.strip().splitlines()[-1]
    return [name for name in ("jax", "hypothesis", "numpy") if name in listed]


def jax_on_warm_path() -> bool:
    """Whether a run with a warm cache imports jax."""
    code = _VERIFY.format(path=str(REFERENCE), count=40) + "; import sys; print('jax' in sys.modules)"
    with tempfile.TemporaryDirectory() as folder:
        settle(folder)
        runs = [
            timing.process(["-c", code], cache_at(folder)) for _ in range(2)
        ]  # one in sixteen audits again, by chance
        return all(ran.output.split()[-1] == "True" for ran in runs)


if __name__ == "__main__":
    print(imports(3), heavy("import gradcheck"), file=sys.stderr)
