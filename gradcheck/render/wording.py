"""The words and numbers that all formats share, as plain text. It must not know any format's markup.

Everything that comes from a subject (details, names, paths) goes through `clean`: control characters, which could move
a terminal's cursor or break XML, become visible escapes.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from math import inf

from gradcheck.report import Difference, Explanation, Finding, Line, Place, Power, Report, Tally

EQUATIONS = {"BP1": "output error", "BP2": "recursion", "BP3": "bias gradient", "BP4": "weight gradient"}
_ARGUMENT = "gradient of "
ROWS = 6
DETAIL_LINES = 40
COLUMNS = ("parameter", "index", "claimed", "expected", "difference", "bound", "oracle")
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufffe\uffff")


def clean(text: str) -> str:
    """The text with every control, surrogate and direction character but newline and tab as a visible escape."""
    unified = text.replace("\r\n", "\n")
    if unified.isascii() and unified.isprintable():
        return unified
    return "".join(c if c in "\n\t" or not _hidden(c) else _escape(c) for c in unified)


def one_line(text: str, width: int | None = None) -> str:
    """Cleaned, white space collapsed, and cut to `width` characters with an ellipsis."""
    line = " ".join(clean(text).split())
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"


def abridged(text: str, lines: int = DETAIL_LINES) -> str:
    """Cleaned, and cut to a number of lines; the last line says how many are left out."""
    every = clean(text).strip("\n").split("\n")
    if len(every) <= lines:
        return "\n".join(every)
    return "\n".join([*every[:lines], f"… {len(every) - lines} more lines in the JSON report"])


def number(x: float) -> str:
    """Four significant digits."""
    return f"{x:.4g}"


def pair(claimed: float, expected: float) -> tuple[str, str]:
    """Both numbers: four digits where those tell them apart, every digit where they agree to six or more."""
    distance = abs(claimed - expected)
    close = distance < inf and distance <= 1e-6 * max(abs(claimed), abs(expected))
    return (repr(float(claimed)), repr(float(expected))) if close else (number(claimed), number(expected))


def plural(count: int, noun: str) -> str:
    """``1 case``, ``1,204 cases``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def subject(report: Report) -> str:
    """``path:object``, as it was asked for."""
    info = report.subject
    return one_line(f"{info.path}:{info.object}" if info.object else info.path)


def title(finding: Finding) -> str:
    """The finding's own title, else that of its code."""
    return one_line(finding.title or finding.code.title)


def place(p: Place) -> str:
    """``layer 2, BP2: recursion``."""
    equation = one_line(f"{p.equation}: {EQUATIONS[p.equation]}" if p.equation in EQUATIONS else p.equation)
    return equation if p.layer is None else f"layer {p.layer}, {equation}"


def places(finding: Finding) -> str:
    """All places, semicolons between; ``gradient of x, w`` of several arguments; empty when the place is not known."""
    words = [place(p) for p in finding.places]
    if len(words) > 1 and all(word.startswith(_ARGUMENT) for word in words):
        return _ARGUMENT + ", ".join(word.removeprefix(_ARGUMENT) for word in words)
    return "; ".join(words)


def explanation(e: Explanation) -> str:
    """``missing_derivative: σ′ is left out (layer 2)``."""
    layer = "" if e.layer is None else f" (layer {e.layer})"
    return one_line(f"{e.fault}: {e.title}{layer}")


def explanations(finding: Finding) -> list[tuple[str, str]]:
    """(label, text) of each: ``explained by``, ``or by`` for an alternative, ``and by`` for what holds besides."""
    labelled: list[tuple[str, str]] = []
    before: int | None = None
    for e in finding.explanations:
        label = "explained by" if before is None else "or by" if e.mistake == before else "and by"
        labelled.append((label, explanation(e)))
        before = e.mistake
    return labelled


def hints(finding: Finding) -> list[str]:
    """The suggested edits, each once."""
    return list(dict.fromkeys(one_line(e.hint) for e in finding.explanations if e.hint))


def line(found: Line) -> str:
    """``student.py:12: delta = …`` and why it is this one; an unsure one says so."""
    sure = "" if found.sure else "perhaps "
    return one_line(f"{sure}{found.path}:{found.number}: {found.text}  ({found.reason})")


def worst_first(discrepancies: Iterable[Difference]) -> list[Difference]:
    """Sorted by how many bounds claimed and expected are apart; what is not finite comes first."""
    return sorted(discrepancies, key=_severity, reverse=True)


def row(d: Difference) -> tuple[str, ...]:
    """One line of the table of discrepancies, a text for each of COLUMNS."""
    claimed, expected = pair(d.claimed, d.expected)
    index = f"[{', '.join(str(i) for i in d.index)}]" if d.index else ""
    difference = number(d.claimed - d.expected)
    return (one_line(d.parameter), index, claimed, expected, difference, number(d.bound), one_line(d.oracle))


def sentence(d: Difference) -> str:
    """``W1[0, 1]: claimed 0.5, expected 0.25 ± 1e-12 (jax)``."""
    parameter, index, claimed, expected, _, bound, oracle = row(d)
    return f"{parameter}{index}: claimed {claimed}, expected {expected} ± {bound} ({oracle})"


def more(discrepancies: Sequence[Difference]) -> str:
    """``… and 12 more components``; empty when the table holds them all."""
    hidden = len(discrepancies) - ROWS
    return f"… and {plural(hidden, 'more component')}" if hidden > 0 else ""


def tally(counts: Tally) -> str:
    """``200 cases · 12,345 components compared · 3 cases inconclusive (saturated: 3)``."""
    parts = [plural(counts.cases, "case"), f"{plural(counts.components, 'component')} compared"]
    if counts.inconclusive:
        reasons = ", ".join(f"{one_line(reason)}: {n:,}" for reason, n in counts.reasons.items())
        parts.append(f"{plural(counts.inconclusive, 'case')} inconclusive{f' ({reasons})' if reasons else ''}")
    return " · ".join(parts)


def evidence(report: Report) -> str:
    """The tally, and the seed that repeats it."""
    seed = report.environment.get("seed")
    return f"{tally(report.tally)} · seed {one_line(str(seed), 40)}" if seed is not None else tally(report.tally)


def audit(report: Report, *, news: bool = False) -> str:
    """How many cases were audited against compiled jax.grad in this run, and how the oracle's rules stand; empty if unknown.

    news: empty too where none was audited and nothing is open.
    """
    told = report.environment.get("audited")
    if not isinstance(told, Mapping) or not isinstance(told.get("rules"), Mapping) or not told.get("of"):
        return ""
    rules = {k: one_line(str(told["rules"].get(k, "?")), 10) for k in ("used", "known", "new", "open")}
    cases, of = (one_line(str(told.get(k, "?")), 10) for k in ("cases", "of"))
    if news and cases == rules["open"] == "0":
        return ""
    still = f", {rules['open']} still open" if rules["open"] != "0" else ""
    return (
        f"the oracle was compared with compiled jax.grad at {cases} of {of} cases; of the {rules['used']} rules that it used "
        f"{rules['known']} had been audited in earlier runs, {rules['new']} now{still}"
    )


def power_table(power: Iterable[Power]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of what would have been seen; a column for tensors as a whole where one of them is seen earlier so."""
    power = list(power)
    whole = any(p.as_a_whole is not None for p in power)
    header = ("parameter", "error", *(("all of it by one factor",) if whole else ()), "confidence")
    rows = []
    for p in power:
        factor = number(p.smallest_relative_error if p.as_a_whole is None else p.as_a_whole)
        cells = (one_line(p.parameter), number(p.smallest_relative_error), *((factor,) if whole else ()))
        rows.append((*cells, percent(p.confidence)))
    return header, rows


def percent(confidence: float) -> str:
    """A probability as a percentage that is never rounded up to certainty."""
    if not 0 <= confidence < 1:
        return f"{100 * confidence:.4g} %"
    digits = 1
    while digits < 12 and float(f"{100 * confidence:.{digits}f}") >= 100:
        digits += 1
    return f"{100 * confidence:.{digits}f} %"


def lines(finding: Finding) -> list[str]:
    """The finding as a few lines of plain text, for formats that have room for no more."""
    worst = worst_first(finding.discrepancies)[:1]
    candidates = [
        places(finding),
        abridged(finding.detail) if finding.detail.strip() else "",
        *(sentence(d) for d in worst),
        *(f"{label} {text}" for label, text in explanations(finding)),
        *(one_line(e) for e in finding.evidence),
        *(f"suggested edit: {hint}" for hint in hints(finding)),
        *(f"line: {line(found)}" for found in finding.lines),
        f"without gradcheck: python {one_line(finding.script)}" if finding.script else "",
        f"replay: {one_line(finding.replay)}" if finding.replay else "",
    ]
    return [text for text in candidates if text]


def longest_run(text: str, character: str) -> int:
    """Length of the longest run of one character."""
    return max((len(run) for run in re.findall(f"{re.escape(character)}+", text)), default=0)


def defused(text: str) -> str:
    """A document in which no line is a command to a GitHub runner, whatever a subject has written into it.

    The runner obeys every line of a step's output that starts with ``::``, or has ``##[`` in it.
    """
    without = re.sub(r"^([^\S\n]*):(?=:)", r"\1\\x3a", text, flags=re.MULTILINE)
    return without.replace("##[", r"#\x23[")


def _severity(d: Difference) -> float:
    distance = abs(d.claimed - d.expected)
    if distance != distance or distance == inf:
        return inf
    return distance / d.bound if d.bound else (inf if distance else 0.0)


def _hidden(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cs") or c in _DIRECTIONS


def _escape(c: str) -> str:
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
