"""The pytest plug-in: marker and fixture `gradcheck`, and fixture `gradcheck_report`, for people's own tests.

It imports nothing heavy (no numpy, jax, hypothesis, rich or click) before a test asks for a verification, and only
plain strings cross the workers of pytest-xdist.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from os import PathLike, fspath, sep
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from gradcheck.errors import GradcheckError

if TYPE_CHECKING:
    from gradcheck.report import Report

MARKER = (
    "gradcheck(path, *, check=True, **options): before the test runs, verify the hand-written backprop in `path` "
    "(relative to the test file, then to rootdir); options are those of gradcheck.verify"
)
PROPERTY = "gradcheck"
OPTIONS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "seed": (int, "seed of gradcheck's random cases"),
    "max_examples": (int, "exactly so many random cases for each subject"),
    "budget": (float, "seconds at most, for each subject"),
    "report": (str, "folder in which the JSON reports are written"),
    "select": (str, "codes of findings that count, or prefixes: GC4,GC501"),
    "ignore": (str, "codes of findings that do not count; the longest prefix decides"),
}
"""name -> (how to read it, help): each is an option --gradcheck-NAME and an ini value gradcheck_NAME."""

_outcome: pytest.StashKey["Outcome"] = pytest.StashKey()
_T = TypeVar("_T")


class Outcome:
    """What the marker of a test led to: a report, or the message of a mistake in its use."""

    def __init__(self, report: "Report | None" = None, mistake: str | None = None) -> None:
        self.report = report
        self.mistake = mistake


class Gradcheck:
    """The fixture `gradcheck`: call it with a subject, or use `vjp` for a primal with its pullback,
    `jvp` for a tangent map and `hvp` for a Hessian-vector product.

    All fail the test, with the finding as the message, unless the verdict is pass; `check=False` only gives a report.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def __call__(self, subject: Any, *, check: bool = True, **options: Any) -> "Report":
        """Verify a path (in a child process), or a module, class, object or (loss, backprop) pair (in this process)."""
        __tracebackhide__ = True
        outcome = _attempt(lambda: _verified(self._item, subject, options))
        return _checked(outcome, check=check)

    def vjp(
        self,
        primal: Callable[..., Any],
        pullback: Callable[..., Any] | None = None,
        arguments: Any = None,
        *,
        check: bool = True,
        **options: Any,
    ) -> "Report":
        """Verify a pullback against its primal at the given arguments, as `gradcheck.check_vjp` does."""
        __tracebackhide__ = True
        return self._function("check_vjp", (primal, pullback, arguments), options, check=check)

    def jvp(
        self,
        primal: Callable[..., Any],
        pushforward: Callable[..., Any],
        arguments: Any,
        *,
        check: bool = True,
        **options: Any,
    ) -> "Report":
        """Verify a Jacobian-vector product against its primal, as `gradcheck.check_jvp` does."""
        __tracebackhide__ = True
        return self._function("check_jvp", (primal, pushforward, arguments), options, check=check)

    def hvp(
        self,
        cost: Callable[..., Any],
        product: Callable[..., Any],
        arguments: Any,
        *,
        check: bool = True,
        **options: Any,
    ) -> "Report":
        """Verify a Hessian-vector product against its cost, as `gradcheck.check_hvp` does."""
        __tracebackhide__ = True
        return self._function("check_hvp", (cost, product, arguments), options, check=check)

    def _function(self, name: str, given: tuple[Any, ...], options: Mapping[str, Any], *, check: bool) -> "Report":
        __tracebackhide__ = True
        wanted = _options(self._item.config, options, ("seed", "max_examples"))

        def run() -> "Report":
            return _recorded(self._item, getattr(import_module("gradcheck.api"), name)(*given, **wanted))

        return _checked(_attempt(run), check=check)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--gradcheck-seed and the like; the same names with underscores in the ini file."""
    group = parser.getgroup("gradcheck", "verification of hand-written backprop")
    for name, (read, text) in OPTIONS.items():
        flag = f"--gradcheck-{name.replace('_', '-')}"
        group.addoption(flag, dest=f"gradcheck_{name}", type=read, default=None, help=text)
        parser.addini(f"gradcheck_{name}", text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and read the ini values so that a mistake in them is told at once."""
    config.addinivalue_line("markers", MARKER)
    for name in OPTIONS:
        _ini(config, name)


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Gradcheck:
    """Verify a subject: `gradcheck(path_or_object, **options)`, or `gradcheck.vjp(primal, pullback, arguments)`."""
    return Gradcheck(request.node)


@pytest.fixture
def gradcheck_report(request: pytest.FixtureRequest) -> "Report | None":
    """The report of the subject that the test's marker `gradcheck` names."""
    outcome = _marked(request.node)
    if outcome is None:
        pytest.fail("gradcheck_report needs the marker @pytest.mark.gradcheck(path) on the test", pytrace=False)
    return outcome.report  # None only where the marker is misused: then the body does not run


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Verify the subject of the marker before the body runs."""
    __tracebackhide__ = True
    outcome = _marked(item)
    if outcome is not None:
        marker = item.get_closest_marker("gradcheck")
        _checked(outcome, check=marker is None or bool(marker.kwargs.get("check", True)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each verification, with the test that asked for it."""
    lines = list(_summary(terminalreporter))
    if lines:
        terminalreporter.section("gradcheck")
        for line in lines:
            terminalreporter.write_line(line)


def _summary(terminalreporter: Any) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":  # every phase carries the properties; this one has them all
                yield from (f"{value}  [{report.nodeid}]" for name, value in report.user_properties if name == PROPERTY)


def _marked(item: pytest.Item) -> Outcome | None:
    """What the marker's subject led to, verified once for each run of the test; None where there is no marker."""
    marker = item.get_closest_marker("gradcheck")
    if marker is None:
        return None
    if _outcome not in item.stash:
        item.stash[_outcome] = _attempt(lambda: _verified(item, _marker_path(marker), _marker_options(marker)))
    return item.stash[_outcome]


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Forget the outcome: a test that is run again is verified again."""
    if _outcome in item.stash:
        del item.stash[_outcome]


def _marker_path(marker: pytest.Mark) -> str:
    if len(marker.args) == 1 and isinstance(marker.args[0], (str, PathLike)):
        return cast("str", fspath(marker.args[0]))
    msg = (
        "the marker takes one path, such as @pytest.mark.gradcheck('net.py'); for objects use the fixture: "
        f"gradcheck(object). It was given {len(marker.args)} positional arguments"
    )
    raise GradcheckError(msg)


def _marker_options(marker: pytest.Mark) -> dict[str, Any]:
    return {k: v for k, v in marker.kwargs.items() if k != "check"}


def _attempt(verify: Callable[[], "Report"]) -> Outcome:
    """The report, or the message of a GradcheckError; other exceptions are defects of gradcheck and pass through."""
    try:
        return Outcome(report=verify())
    except GradcheckError as error:
        return Outcome(mistake=f"gradcheck: {error}")


def _checked(outcome: Outcome, *, check: bool) -> "Report":
    """The report; the test fails with the finding where it is checked and no pass, and always where there is none."""
    __tracebackhide__ = True
    if outcome.report is None:
        pytest.fail(outcome.mistake or "gradcheck: there is no report", pytrace=False)
    from gradcheck.report import PASSED, exit_code

    if check and exit_code(outcome.report) != PASSED:
        from gradcheck.render import RENDERERS  # lazily, as all of the following: collection is to stay fast

        pytest.fail(RENDERERS["rich"](outcome.report), pytrace=False)
    return outcome.report


def _verified(item: pytest.Item, subject: Any, options: Mapping[str, Any]) -> "Report":
    from gradcheck.api import verify

    wanted = _options(item.config, options, ("seed", "max_examples", "budget", "select", "ignore"))
    if isinstance(subject, (str, PathLike)):
        path, name = _located(item, fspath(subject))
        chosen = {"object": name} if name else {}
        report = verify(str(path), **{**wanted, **chosen})
    else:
        report = verify(subject, **{"in_process": True, **wanted})
    return _recorded(item, report)


def _located(item: pytest.Item, target: str) -> tuple[Path, str | None]:
    """The file and the object of ``net.py:Network``: relative to the test file, then to rootdir."""
    bases = (item.path.parent, item.config.rootpath)
    path, colon, name = target.rpartition(":")
    candidates: list[tuple[str, str | None]] = [(target, None)]
    if colon and path.endswith(".py") and name.replace(".", "_").isidentifier():
        candidates.append((path, name))
    for given, chosen in candidates:
        for base in bases:
            if (base / given).exists():
                return base / given, chosen
    msg = f"no such file: {target}; looked in {' and '.join(dict.fromkeys(str(base) for base in bases))}"
    raise GradcheckError(msg)


def _recorded(item: pytest.Item, report: "Report") -> "Report":
    """Note the verdict for the summary, and write the JSON report where that is asked for."""
    from gradcheck.render import wording
    from gradcheck.report import file_name

    name = wording.subject(report).removeprefix(f"{item.config.rootpath}{sep}")
    verdict = f"{report.verdict.upper():<12} {name} · {wording.tally(report.tally)}"
    item.user_properties.append((PROPERTY, verdict))
    folder = _option(item.config, "report")
    if folder:
        from gradcheck.render import json_text

        target = item.config.rootpath / folder
        target.mkdir(parents=True, exist_ok=True)
        (target / file_name(report)).write_text(json_text.render(report), encoding="utf-8")
    return report


def _options(config: pytest.Config, given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The test's own options; the command line goes before them, the ini file after."""
    flags = {n: config.getoption(f"gradcheck_{n}") for n in names}
    inis = {n: _ini(config, n) for n in names}
    return {**_said(inis), **given, **_said(flags)}


def _option(config: pytest.Config, name: str) -> Any:
    flag = config.getoption(f"gradcheck_{name}")
    return _ini(config, name) if flag is None else flag


def _said(options: Mapping[str, _T | None]) -> dict[str, _T]:
    return {k: v for k, v in options.items() if v is not None}


def _ini(config: pytest.Config, name: str) -> Any:
    """The ini value, read; None where it is not set. Raises pytest.UsageError."""
    text = config.getini(f"gradcheck_{name}")
    if text == "":
        return None
    try:
        return OPTIONS[name][0](text)
    except ValueError as error:
        msg = f"gradcheck_{name}: {error}"
        raise pytest.UsageError(msg) from error
