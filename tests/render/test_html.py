"""The page: what it says, that nothing of a subject becomes markup, that it needs no network, and that a browser draws it."""

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from math import inf, nan

import pytest

from gradcheck.render import html, render
from gradcheck.report import Curve, Place, SubjectInfo, Tensor

VOID = {"meta", "line", "circle", "polyline"}
HOSTILE = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='alert(1)", "</title></style><svg/onload=x>",
    "javascript:alert(1)", "{{ 7 * 7 }}{% raw %}", "</pre></details><iframe src=//x>", "&lt;b&gt;", "]]>", "<!--",
)  # fmt: skip


class Page(HTMLParser):
    """Tags, attributes and text; fails where tags are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        """Whitespace collapsed."""
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("kind", ["passing", "failing", "inconclusive", "broken", "hostile"])
def test_a_page_is_well_formed_and_loads_nothing(samples, kind):
    """Tags are balanced; no script, no address, no event handler; a policy forbids them besides."""
    text = render(getattr(samples, kind)(), "html")
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [n for n, _ in page.attributes if n.startswith("on") or n in ("src", "srcset", "action", "xlink:href")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_subject_becomes_markup(samples, text):
    """Whatever stands in names, details, lines, conventions and notes: the same tags, and the text is there to read."""

    def named(t):
        report = samples.hostile()
        (f,) = report.findings
        finding = replace(
            f,
            detail=f"{t}\n{t}",
            places=(Place(t, 1),),
            explanations=tuple(replace(e, fault=t, title=t, hint=t) for e in f.explanations),
            evidence=(t,),
            lines=tuple(replace(line, path=t, text=t, reason=t) for line in f.lines),
            discrepancies=tuple(replace(d, parameter=t, oracle=t) for d in f.discrepancies),
            counterexample={**samples.CASE, "parameters": {t: [[t]]}},
            replay=t,
            script=t,
            title=t,
            tensors=(Tensor(t, [[1.0]], [[2.0]], [[0.1]]),),
            curve=Curve(1, t, ((0.0, 1.0, 2.0), (1.0, 1.0, 2.0))),
        )
        subject = SubjectInfo(f"a{t}", t, t, None)
        conventions = tuple(replace(c, what=t, value=t) for c in report.conventions)
        return replace(
            report, findings=(finding,), subject=subject, conventions=conventions, notes=(t,), environment={t: t}
        )

    hostile, plain = Page(html.render(named(text))), Page(html.render(named("name")))
    assert hostile.tags == plain.tags
    assert [n for n, _ in hostile.attributes] == [n for n, _ in plain.attributes]
    assert text in hostile.text


def test_a_finding_says_everything(samples):
    """Place, equation with its layer, names, edit, line, evidence, differences, network, commands and the page of explain."""
    text = Page(html.render(samples.failing())).text
    for words in (
        "layer 1, BP2: recursion",
        "δ¹ = (W²ᵀ δ²) ⊙ σ′(z¹) ← here",
        "Explained by: missing_derivative: σ′ is left out",
        "multiply by σ′(z¹)",
        "student.py:12",
        "wrong on 4 of 5 cases",
        "1 → 2 sigmoid → 1 tanh",
        "gradcheck replay reports/student-0123456789ab.json",
        "python reports/student-0123456789ab.py",
        "What GC402 means",
    ):
        assert words in text


def test_wrong_cells_are_marked_without_colour(samples):
    """✗, and the right value below; a cell that agrees has neither."""
    text = Page(html.render(samples.failing())).text
    assert "✗ 0.125 right: 0.0625" in text
    assert "gradient of W2 : agrees" in text


def test_pictures_have_words(samples):
    """Who cannot see the curve or the network hears it."""
    labels = [v for n, v in Page(html.render(samples.failing())).attributes if n == "aria-label"]
    assert any("at z = -1 it is 0.27, right is 0.2" in label for label in labels)
    assert any("marked: layer 1, BP2: recursion" in label for label in labels)


def test_a_pass_shows_its_power(samples):
    """And how to run it again."""
    text = Page(html.render(samples.passing())).text
    assert "W1 3.1e-09 99.999 % 197" in text
    assert "gradcheck verify student.py --seed 7" in text


def test_several_are_a_table_and_a_section_each(samples):
    """The worst first; every name links to its section."""
    page = Page(html.collect(samples.every()))
    links = [v for n, v in page.attributes if n == "href"]
    assert links == [f"#{v}" for n, v in page.attributes if n == "id"]
    assert "5 subjects: 1 error, 2 fail, 1 inconclusive, 1 pass" in page.text
    assert page.text.index("ERROR") < page.text.index("FAIL") < page.text.index("PASS")


@pytest.mark.parametrize(
    "points", [(), ((nan, inf, -inf),) * 9, ((0.0, 1.0, 2.0),), ((1e308, -1e308, 1e308), (-1e308, 0.0, 0.0))]
)
def test_a_curve_of_odd_numbers_costs_at_most_itself(samples, points):
    """No exception, and no NaN in a coordinate."""
    (finding,) = samples.failing().findings
    text = html.render(replace(samples.failing(), findings=(replace(finding, curve=Curve(1, "f", points)),)))
    assert 'cx="nan"' not in text
    assert 'cx="inf"' not in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_draws_it(samples, tmp_path):
    """Headless: the page is laid out, and the document has the text that we wrote."""
    page = tmp_path / "page.html"
    page.write_text(html.collect(samples.every()), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        ["chromium", *flags, "--dump-dom", page.as_uri()], check=True, capture_output=True, text=True, timeout=180
    )
    assert "Suggested edit" in done.stdout
