"""What each format promises to its readers, for every report and whatever a subject writes into it."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.render import COLLECTORS, RENDERERS, concise, github, junit, markdown, render, terminal
from gradcheck.report import SubjectInfo, schema

KINDS = ("passing", "failing", "inconclusive", "broken", "hostile")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(params=KINDS)
def report(request, samples):
    """Each hand-made report."""
    return getattr(samples, request.param)()


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_no_format_lets_control_characters_through(report, name):
    """Without colours there are newlines and nothing else below a space; it can be encoded, and it ends a line."""
    text = render(report, name)
    assert not {c for c in text if ord(c) < 32} - {"\n"}
    assert text.encode("utf-8").endswith(b"\n")


@pytest.mark.parametrize("name", sorted(set(RENDERERS) - {"github"}))
def test_no_format_but_github_gives_orders_to_a_runner(report, name):
    """A subject cannot smuggle a workflow command into the log."""
    text = render(report, name)
    assert not [line for line in text.split("\n") if line.strip().startswith("::")]
    assert "##[" not in text


def test_concise_has_one_line_for_each_finding(report):
    """One line for each finding and one for the verdict, whatever newlines are in them."""
    assert concise.render(report).count("\n") == len(report.findings) + 1


def test_json_obeys_the_schema(report):
    """The JSON format is the report's own schema, in ASCII."""
    text = render(report, "json")
    jsonschema.validate(json.loads(text), schema())
    assert text.isascii()


def test_json_of_several_is_a_list(samples):
    """Several subjects are one JSON document."""
    data = json.loads(COLLECTORS["json"](samples.every()))
    assert [r["verdict"] for r in data] == ["pass", "fail", "inconclusive", "error", "fail"]


@pytest.mark.parametrize(("kind", "level"), [("passing", "notice"), ("failing", "error"), ("inconclusive", "warning")])
def test_github_levels(samples, kind, level):
    """notice for a pass, error for a fail, warning for inconclusive."""
    assert github.render(getattr(samples, kind)()).startswith(f"::{level} file=student.py,title=gradcheck")


def test_github_escapes_what_would_start_a_command(samples):
    """Newlines and percent signs are encoded, colons and commas too in the properties: the line stays one command."""
    (line,) = github.render(samples.hostile()).splitlines()
    properties = re.fullmatch(r"::error file=([^,:]*),title=([^,:]*)::.*", line)
    assert properties is not None
    assert "%250A" in line


def test_github_counts_what_is_beyond_ten_annotations(samples):
    """GitHub shows ten: the tenth says how many are hidden."""
    report = replace(samples.failing(), findings=samples.failing().findings * 13)
    lines = github.render(report).splitlines()
    assert len(lines) == 10
    assert lines[-1].endswith("… and 3 more findings")


@pytest.mark.parametrize(
    ("path", "root", "file"),
    [
        ("./a/net.py", None, "a/net.py"),
        ("/repo/a/net.py", "/repo", "a/net.py"),
        ("/other/net.py", "/repo", "/other/net.py"),
        ("a\\net.py", None, "a/net.py"),
    ],
)
def test_github_paths_are_relative_to_the_repository(samples, path, root, file):
    """Forward slashes, no leading ./, and relative below the root."""
    report = replace(samples.passing(), subject=SubjectInfo(path, None, None, None))
    assert f" file={file}," in github.render(report, root=root)


@pytest.mark.parametrize(
    ("kind", "child"), [("passing", None), ("failing", "failure"), ("inconclusive", "error"), ("broken", "error")]
)
def test_junit_outcomes(samples, kind, child):
    """A pass has no child; inconclusive is an error, so that no gate takes it for green."""
    (case,) = ElementTree.fromstring(render(getattr(samples, kind)(), "junit")).iter("testcase")
    assert [c.tag for c in case] == ([child] if child else [])


def test_junit_has_the_attributes_that_readers_require(report):
    """Names, counts and times as in the schema that Jenkins and GitLab read."""
    root = ElementTree.fromstring(render(report, "junit"))
    (suite,) = root
    assert {"name", "tests", "failures", "errors", "time"} <= set(suite.attrib)
    assert suite[0].tag == "properties"
    assert all({"name", "classname", "time"} == set(c.attrib) for c in suite.iter("testcase"))


def test_junit_adds_up_several_reports(samples):
    """One document, one suite for each subject, totals at the top."""
    root = ElementTree.fromstring(junit.collect(samples.every()))
    assert (len(root), root.get("tests"), root.get("failures"), root.get("errors")) == (5, "5", "2", "2")


def test_the_terminal_interprets_no_markup(samples):
    """[red] is printed as it stands."""
    assert "[red]x[/red]" in terminal.render(samples.hostile(), color=True)


def test_colours_only_when_asked(samples, monkeypatch):
    """With colours the text is the same as without."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    plain, coloured = (terminal.render(samples.failing(), color=c) for c in (False, True))
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    stripped = [line.rstrip() for line in ANSI.sub("", coloured).splitlines()]
    assert stripped == plain.splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_the_terminal_keeps_to_its_width(samples, width):
    """Nothing but verdict and commands, which are for copying, is wider than the terminal (40 at least)."""
    lines = terminal.render(samples.failing(), width=width).splitlines()
    wide = [line for line in lines if len(line) > max(width, 40)]
    assert all("replay" in line or "python" in line for line in wide)


def test_the_replay_command_is_never_broken(samples):
    """It can be copied as one line."""
    assert f"{samples.FINDING.replay}\n" in terminal.render(samples.failing(), width=40)


def test_the_table_shows_six_rows_at_most(samples):
    """The worst six, and how many more there are."""
    finding = replace(samples.FINDING, discrepancies=samples.FINDING.discrepancies * 3)
    text = terminal.render(replace(samples.failing(), findings=(finding,)))
    assert text.count("1e-12") + text.count("1e-15") == 6
    assert "… and 3 more components" in text


def test_one_finding_alone(samples):
    """A finding can be rendered without its report."""
    assert terminal.render_finding(samples.FINDING).startswith("GC402  the recursion")


@given(st.text())
def test_markdown_escape_leaves_no_markup(text):
    """Every character that means something to Markdown has a backslash, and no HTML is left."""
    escaped = markdown.escape(text)
    assert "<" not in escaped
    assert ">" not in escaped.replace("&gt;", "")
    assert not re.search(r"(?<!\\)[`*_\[\]|#~$]", re.sub(r"\\\\", "", escaped))


@given(st.text(alphabet="`|a \n", max_size=20))
def test_markdown_code_spans_hold_any_text(text):
    """The fence is longer than every run of backticks inside."""
    span = markdown.code(text)
    fence = re.match("`+", span)[0]
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)]
