"""Renderers: `Report -> str`, one module for each format. They see reports and nothing else: no file, no terminal."""

from collections.abc import Callable, Mapping, Sequence

from gradcheck.render import concise, github, gitlab, html, json_text, junit, markdown, sarif, summary, terminal
from gradcheck.report import Report

Renderer = Callable[[Report], str]

RENDERERS: Mapping[str, Renderer] = {
    "rich": terminal.render,
    "concise": concise.render,
    "table": summary.render,
    "csv": summary.render_csv,
    "json": json_text.render,
    "markdown": markdown.render,
    "html": html.render,
    "junit": junit.render,
    "sarif": sarif.render,
    "github": github.render,
    "gitlab": gitlab.render,
}

COLLECTORS: Mapping[str, Callable[[Sequence[Report]], str]] = {
    "json": json_text.collect,
    "junit": junit.collect,
    "html": html.collect,
    "sarif": sarif.collect,
    "gitlab": gitlab.collect,
    "table": summary.collect,
    "csv": summary.to_csv,
}
"""Formats in which several reports are one document and not one after the other."""


def render(report: Report, output_format: str = "rich") -> str:
    """The report in one of the formats of RENDERERS."""
    return RENDERERS[output_format](report)


__all__ = ["COLLECTORS", "RENDERERS", "Renderer", "render"]
