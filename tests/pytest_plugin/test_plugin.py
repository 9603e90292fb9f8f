"""The plug-in in a project of its own: marker, fixtures, options, summary, workers, start-up."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

MARKED = """
import pytest

@pytest.mark.gradcheck({path!r})
def test_it():
    print("the body ran")
"""


def marked(path):
    """A test module with one marked test."""
    return MARKED.format(path=path)


def test_a_pass_runs_the_body(project):
    """The verification comes first, then the test."""
    result = project(marked("passing.py"), "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*the body ran*"])


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("failing.py", "GC402  the recursion to the layer below is wrong (BP2)"),
        ("broken.py", "GC902  the subject raised an exception"),
        ("inconclusive.py", "GC951  nothing was checked"),
    ],
)
def test_anything_but_a_pass_fails_with_the_finding(project, path, line):
    """The test fails, its body does not run, and no traceback of ours is shown."""
    result = project(marked(path), "-s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([line])
    result.stdout.no_fnmatch_line("*the body ran*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_hostile_subject_is_only_text(project):
    """Control characters and markup reach neither the terminal nor a worker's channel."""
    result = project(marked("hostile.py"))
    result.assert_outcomes(failed=1)
    assert "\x1b[2J" not in result.stdout.str()


def test_a_usage_error_is_a_failure_with_its_message(project):
    """A mistake in the options is told in the API's words."""
    result = project(marked("raises.py"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["gradcheck: unknown convention 'nielson'; did you mean 'nielsen'?"])


def test_a_missing_file_says_where_it_was_looked_for(project, pytester):
    """Beside the test, then in rootdir."""
    result = project(marked("nowhere.py"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"gradcheck: no such file: nowhere.py; looked in {pytester.path}"])


def test_paths_are_relative_to_the_test_then_to_rootdir(project, pytester):
    """Both are found; the one beside the test goes first."""
    folder = pytester.mkdir("inner")
    folder.joinpath("passing.py").write_text("")
    pytester.makeini("[pytest]")
    source = """
    import pytest

    @pytest.mark.gradcheck("passing.py")
    def test_beside(gradcheck_report):
        assert gradcheck_report.subject.path.endswith("inner/passing.py")

    @pytest.mark.gradcheck("broken.py", check=False)
    def test_root(gradcheck_report):
        assert "inner" not in gradcheck_report.subject.path
    """
    pytester.path.joinpath("inner", "test_inner.py").write_text(pytester.makepyfile(source).read_text())
    project("", "inner").assert_outcomes(passed=2)


def test_options_and_object_reach_the_api(project):
    """The marker's keywords are those of gradcheck.verify; PATH:OBJECT names an object."""
    source = """
    import pytest

    @pytest.mark.gradcheck("passing.py:Net", convention="nielsen", seed=3)
    def test_it(gradcheck_report):
        options = gradcheck_report.environment["options"]
        assert options == {"object": "Net", "convention": "nielsen", "seed": 3}
    """
    project(source).assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", ["", "3", "'a.py', 'b.py'"])
def test_a_marker_without_one_path_is_a_failure(project, arguments):
    """The message says how it is meant, with or without the fixture."""
    mark = f"@pytest.mark.gradcheck({arguments})"
    result = project(f"import pytest\n\n{mark}\ndef test_a(): ...\n\n{mark}\ndef test_b(gradcheck_report): ...\n")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["gradcheck: the marker takes one path*"])


def test_the_report_fixture_needs_the_marker(project):
    """The message says so."""
    result = project("def test_it(gradcheck_report): ...")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["gradcheck_report needs the marker*"])


def test_the_fixture_takes_paths_and_objects(project):
    """Paths run in a child process (the API's default), objects in this process."""
    source = """
    class Net: ...

    def test_path(gradcheck):
        report = gradcheck("passing.py", max_examples=3)
        assert report.environment["options"] == {"max_examples": 3}

    def test_object(gradcheck):
        assert gradcheck(Net).environment["options"] == {"in_process": True}

    def test_pair(gradcheck):
        assert gradcheck((min, max)).verdict == "pass"
    """
    project(source).assert_outcomes(passed=3)


def test_the_fixture_fails_unless_the_verdict_is_pass(project):
    """check=False only gives the report; the traceback ends in the user's line."""
    source = """
    def test_checked(gradcheck):
        gradcheck("failing.py")

    def test_only_the_report(gradcheck):
        assert gradcheck("failing.py", check=False).verdict == "fail"
    """
    result = project(source)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["GC402  the recursion*"])
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


@pytest.mark.parametrize("name", ["jvp", "hvp"])
def test_products(project, name):
    """gradcheck.jvp and gradcheck.hvp fail the test as gradcheck.vjp does."""
    result = project(
        f"""
    def test_right(gradcheck):
        assert gradcheck.{name}(lambda x: x, None, "passing", seed=3).environment["options"]["seed"] == 3
    def test_wrong(gradcheck):
        gradcheck.{name}(lambda x: x, None, "failing")
    """
    )
    result.assert_outcomes(passed=1, failed=1)


def test_vjp(project):
    """gradcheck.vjp checks a primal with its pullback; --gradcheck-budget is not one of its options."""
    source = """
    def test_good(gradcheck):
        assert gradcheck.vjp(lambda x: x, None, "passing").environment["options"] == {"seed": 5}

    def test_bad(gradcheck):
        gradcheck.vjp(lambda x: x, None, "failing")
    """
    project(source, "--gradcheck-seed=5", "--gradcheck-budget=9").assert_outcomes(passed=1, failed=1)


def test_marker_on_methods_and_unittest(project):
    """Classes, and tests that pytest does not call itself."""
    source = """
    import unittest
    import pytest

    @pytest.mark.gradcheck("failing.py")
    class TestPlain:
        def test_it(self): ...

    @pytest.mark.gradcheck("failing.py")
    class TestCase(unittest.TestCase):
        def test_it(self): ...
    """
    project(source).assert_outcomes(failed=2)


def test_xfail_marks_a_known_bug(project):
    """A subject that is known to fail can be marked as such."""
    source = marked("failing.py").replace("@pytest", "@pytest.mark.xfail\n@pytest", 1)
    project(source).assert_outcomes(xfailed=1)


def test_the_command_line_goes_before_the_test_and_that_before_the_ini(project, pytester):
    """seed from the flag, max_examples from the test, budget and ignored codes from the ini file."""
    pytester.makeini(
        "[pytest]\ngradcheck_seed = 1\ngradcheck_max_examples = 1\ngradcheck_budget = 2.5\ngradcheck_ignore = GC2\n"
    )
    source = """
    def test_it(gradcheck):
        report = gradcheck("passing.py", seed=2, max_examples=2)
        assert report.environment["options"] == {"seed": 3, "max_examples": 2, "budget": 2.5, "ignore": "GC2"}
    """
    project(source, "--gradcheck-seed=3").assert_outcomes(passed=1)


def test_a_mistake_in_the_ini_file_is_a_usage_error(project, pytester):
    """pytest's own exit code for it."""
    pytester.makeini("[pytest]\ngradcheck_seed = many\n")
    result = project(marked("passing.py"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*gradcheck_seed: invalid literal*"])


def test_reports_are_written_where_asked(project, pytester):
    """--gradcheck-report, relative to rootdir; nothing is written without it."""
    project(marked("failing.py"))
    assert not list(pytester.path.rglob("failing-*.json"))
    project(marked("failing.py"), "--gradcheck-report=out")
    (file,) = pytester.path.joinpath("out").iterdir()
    assert json.loads(file.read_text())["verdict"] == "fail"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_summary_lists_every_verification_once(project, workers):
    """Verdict, subject, tally and test; the same with workers."""
    source = (
        marked("failing.py") + "\ndef test_more(gradcheck):\n    gradcheck('passing.py')\n    gradcheck('passing.py')\n"
    )
    result = project(source, *workers)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*= gradcheck =*"])
    lines = [line for line in result.outlines if "components compared" in line and "::" in line]
    assert sorted(line.split()[:2] for line in lines) == [["FAIL", "failing.py"], *[["PASS", "passing.py"]] * 2]


def test_there_is_no_summary_without_a_verification(project):
    """Who does not use gradcheck does not see it."""
    project("def test_it(): ...").stdout.no_fnmatch_line("*= gradcheck =*")


def test_junit_of_pytest_holds_the_verdict(project, pytester):
    """As a property of the test case, under xdist too."""
    project(marked("passing.py"), "--junitxml=out.xml", "-n", "2")
    (found,) = ElementTree.parse(pytester.path / "out.xml").iter("property")
    assert found.get("value").startswith("PASS")


def test_the_marker_is_registered(project):
    """pytest --markers explains it."""
    project("", "--markers").stdout.fnmatch_lines(["@pytest.mark.gradcheck(path, *, check=True, **options)*"])


def test_the_plugin_can_be_switched_off(pytester, monkeypatch):
    """-p no:gradcheck leaves no trace."""
    result = pytester.runpytest_subprocess("-p", "no:gradcheck", "-p", "no:gradcheck.pytest_plugin", "--help")
    result.stdout.no_fnmatch_line("*--gradcheck-seed*")


HEAVY = "{'numpy', 'jax', 'jaxlib', 'hypothesis', 'rich', 'click', 'scipy'}"


def test_importing_the_plugin_imports_nothing_heavy(project):
    """The entry point costs a project that has gradcheck installed nothing."""
    code = f"import sys, gradcheck.pytest_plugin; sys.exit(bool({HEAVY} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_collecting_imports_nothing_heavy(project, pytester):
    """pytest --collect-only stays as fast as without the plug-in, even with marked tests."""
    check = f"\n\ndef pytest_unconfigure(config):\n    print('HEAVY', sorted({HEAVY} & set(sys.modules)))\n"
    path = pytester.path / "conftest.py"
    path.write_text(path.read_text() + check)
    result = project(marked("failing.py"), "--collect-only", "-q", "-s", "-p", "no:hypothesispytest", "-p", "no:xdist")
    result.stdout.fnmatch_lines(["*test_*::test_it*", "HEAVY []"])
