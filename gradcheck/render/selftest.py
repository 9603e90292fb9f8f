"""The outcome of a self-test as text and as Markdown."""

import json
from collections.abc import Iterator, Sequence

from gradcheck.faults.outcomes import KINDS, CatalogueResult, Diagnosed, Kind, MutantResult, SelfTest
from gradcheck.render import wording

_SHOWN: Sequence[Kind] = ("blind spot", "constant", "unstable")


def to_json(tests: Sequence[SelfTest]) -> str:
    """One object for one self-test, a list for several."""
    data = [test.to_json() for test in tests]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, allow_nan=False) + "\n"


def to_text(test: SelfTest) -> str:
    """A few lines: the sentence that makes a pass believable, how the mistakes gave themselves away, and what was not found."""
    lines = [*_mutant_lines(test.mutants), *_catalogue_lines(test.catalogue), test.refused, *test.notes]
    return "".join(f"{wording.clean(line)}\n" for line in lines if line)


def to_markdown(tests: Sequence[SelfTest], command: str = "") -> str:
    """A document: the same, with every survivor and its reason."""
    blocks = ["# Self-test", *([f"`{command}`"] if command else [])]
    rows = [row for test in tests for row in _overview(test)]
    blocks += ["\n".join([_OVERVIEW, *rows])] if rows else []
    for test in tests:
        if test.refused:
            blocks.append(wording.clean(test.refused))
        if test.catalogue:
            title = (
                f"The catalogue of {wording.one_line(test.catalogue.layer)}"
                if test.catalogue.layer
                else "The catalogue"
            )
            blocks += [f"## {title}", _list(_catalogue_lines(test.catalogue))]
        if test.mutants:
            blocks += [f"## {wording.one_line(test.mutants.file)}", _list(_mutant_lines(test.mutants, survivors=False))]
            blocks += _survivors(test.mutants)
        blocks += [_list(test.notes)] if test.notes else []
    return "\n\n".join(blocks) + "\n"


_OVERVIEW = """\
| planted in | mistakes run | visible | found | | no difference | diagnosed | place right | named | wrong names |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


def _overview(test: SelfTest) -> Iterator[str]:
    """A row of the table at the head for each part: how many were found, and how often place and name were right."""
    c, m = test.catalogue, test.mutants
    if c is not None:
        yield _row(
            f"the catalogue of {c.layer}" if c.layer else "the catalogue",
            (c.planted, c.visible, c.found, len(c.invisible)),
            c.diagnosed,
        )
    if m is not None:
        yield _row(m.file, (m.run, m.observable, m.killed, m.count("equivalent")), m.diagnosed)


def _row(name: str, counts: tuple[int, int, int, int], d: Diagnosed) -> str:
    run, visible, found, same = counts
    rate = f"{100 * found / visible:.4g} %" if visible else ""
    numbers = (run, visible, found, rate, same, d.count, d.placed, d.named, len(d.wrong))
    return f"| {_cell(name)} | {' | '.join(n if isinstance(n, str) else f'{n:,}' for n in numbers)} |"


def _mutant_lines(m: MutantResult | None, *, survivors: bool = True) -> Iterator[str]:
    if m is None:
        return
    yield f"on {m.file}, {m.killed} of {m.observable} planted mistakes were found"
    sampled = f"a sample of {m.run:,} of {m.possible:,} possible edits was run" if m.run < m.possible else f"{m.run:,} edits were run"  # noqa: E501  # fmt: skip
    yield f"{sampled}; {m.count('equivalent')} of them make no difference"
    yield from _how(m.how)
    yield from _diagnosed(m.diagnosed, m.place)
    for s in m.survivors if survivors else ():
        if s.kind in _SHOWN:
            yield f"{s.kind}: {s.what}: {s.reason}"


def _catalogue_lines(c: CatalogueResult | None) -> Iterator[str]:
    if c is None:
        return
    where = f"the reference of {c.layer}" if c.layer else "the trusted network and in layers"
    yield f"in {where}, {c.found:,} of {c.visible:,} faults of the catalogue were found"
    yield from _how(c.how)
    yield from _diagnosed(c.diagnosed, "the place (equation and layer, or every wrong argument)")
    if c.missed:
        yield f"not found: {', '.join(c.missed)}"
    if c.invisible:
        yield f"no random case shows: {', '.join(c.invisible)}"


def _how(how: object) -> Iterator[str]:
    if isinstance(how, dict) and how:
        yield f"found by: {', '.join(f'{way} {count:,}' for way, count in how.items())}"


def _diagnosed(d: Diagnosed, what: str) -> Iterator[str]:
    if d.count:
        wrong = f"; wrong names: {'; '.join(d.wrong)}" if d.wrong else ", no name was wrong"
        yield f"of {d.count} that were diagnosed, {what} was right for {d.placed}, {d.named} got a name{wrong}"


def _survivors(m: MutantResult) -> Iterator[str]:
    for kind, meaning in KINDS.items():
        some = [s for s in m.survivors if s.kind == kind]
        if some:
            yield f"### Survivors: {kind}\n\n{meaning[0].upper()}{meaning[1:]}."
            parts = [(*s.what.partition(": ")[::2], s.reason) for s in some]
            rows = [f"| {' | '.join(map(_cell, part))} |" for part in parts]
            yield "\n".join(["| where | edit | |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return wording.one_line(text).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("`", "\\`")


def _list(lines: object) -> str:
    return "\n".join(f"- {_cell(str(line))}" for line in lines)  # type: ignore[attr-defined]
