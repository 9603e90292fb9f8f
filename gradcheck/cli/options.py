"""The options of the commands and how their values are read. It must import neither numpy nor the renderers."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

FORMATS = (
    "rich",
    "concise",
    "table",
    "csv",
    "json",
    "markdown",
    "html",
    "junit",
    "sarif",
    "github",
    "gitlab",
)
CHOICES: Mapping[str, tuple[str, ...]] = {
    "weights": ("to_from", "from_to"),
    "samples": ("columns", "rows"),
    "bias": ("column", "vector", "row", "first_row", "first_column", "none"),
    "dtype": ("float64", "float32"),
    "output_format": FORMATS,
}
"""What gradcheck.subjects.layout and gradcheck.render offer, repeated so that --help needs no numpy; tests compare."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Size(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """Bytes: ``2147483648``, ``512M``, ``2G``, ``2GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Jobs(click.ParamType):  # type: ignore[type-arg]
    """A number of processes, or ``auto`` for one a core."""

    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or "auto"."""
        try:
            return parse_jobs(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parse_jobs(value: str | int) -> int | str:
    """A number of processes from a number or its text; "auto" stays as it is. Raises ValueError."""
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or re.fullmatch(r"[1-9]\d{0,5}", str(value)) is None:
        msg = f"{value!r} is no number of processes; write 1 or more, or auto for one a core"
        raise ValueError(msg)
    return int(value)


def parse_size(value: str | int) -> int:
    """Bytes from a number or a text with a unit (powers of 1024). Raises ValueError."""
    match = re.fullmatch(r"(\d{1,18})\s*([KMGT]?)(?:i?B)?", str(value).strip(), flags=re.IGNORECASE)
    if isinstance(value, bool) or match is None or int(match[1]) == 0:
        msg = f"{value!r} is not a size; write bytes, or a number with K, M or G such as 2G"
        raise ValueError(msg)
    return int(match[1]) * _UNITS[match[2].upper()]


def split_list(texts: str | Sequence[str]) -> tuple[str, ...]:
    """Names from one or more comma-separated texts; commas inside parentheses belong to the name."""
    given = [texts] if isinstance(texts, str) else texts
    names = [name.strip() for text in given for name in re.split(r",(?![^(]*\))", text)]
    return tuple(name for name in names if name)


def anchored(name: str, base: Path) -> str:
    """A user's own definition, ``acts.py:swish``, with its path made absolute from `base`; other names as they are."""
    match = re.fullmatch(r"(.+\.py):([^:/\\]+)", name)
    return f"{(base / match[1]).resolve()}:{match[2]}" if match else name


def split_target(text: str) -> tuple[str, str | None]:
    """``net.py:Network`` as (path, object); a path that exists as it stands is one, colon or not."""
    match = re.fullmatch(r"(.+):([^\W\d][\w.]*)", text)
    if match is None or Path(text).exists() or not (match[1].endswith(".py") or Path(match[1]).exists()):
        return text, None
    return match[1], match[2]


def apply(*decorators: Decorator) -> Decorator:
    """Several decorators as one, in the order in which --help shows them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _choice(key: str, text: str) -> Decorator:
    return click.option(f"--{key.replace('_', '-')}", key, type=click.Choice(CHOICES[key]), help=text)


subject_options = apply(
    click.option("--object", metavar="NAME", help="The class, function or object in the file."),
    click.option("--convention", metavar="NAME", help="Calling convention; see `gradcheck conventions`."),
    _choice("weights", "Orientation of weight matrices."),
    _choice("samples", "Where samples are."),
    _choice("bias", "Where biases are."),
    click.option(
        "--activations", multiple=True, metavar="NAMES", help="Comma separated: tanh,leaky_relu(0.1),own.py:f."
    ),
    click.option("--costs", multiple=True, metavar="NAMES", help="Comma separated: mse,cross_entropy,own.py:cost."),
    click.option("--cost-scale", metavar="SCALE", help="Scale of the cost, such as 1/m or 1/(2m)."),
    click.option("--l2", metavar="FORM", help="Form of the L2 term, such as lambda/2, lambda/(2m) or none."),
    _choice("dtype", "Precision the subject computes in."),
    click.option("--layer", metavar="NAME", help="Which layer a forward/backward pair is, such as conv2d or lstm."),
)

limit_options = apply(
    click.option("--time-limit", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="For each call."),
    click.option("--memory-limit", type=Size(), metavar="BYTES", help="For the child process; 512M, 2G."),
    click.option("--in-process", is_flag=True, help="No child process and no limits: for debugging."),
)

run_options = apply(
    click.option("--seed", type=int, help="Repeats a run."),
    click.option(
        "--max-examples",
        type=click.IntRange(1),
        metavar="N",
        help="Exactly so many random cases; default: as many as they need for their power, 64 to 400.",
    ),
    click.option(
        "--budget",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="Begin no new case after this time.",
    ),
    click.option(
        "--sandbox", is_flag=True, help="Run the file behind bubblewrap (bwrap, Linux): it can write nothing."
    ),
    click.option("--jobs", type=Jobs(), metavar="N", help="Processes, or auto for all cores; the report is the same."),
    click.option("--select", multiple=True, metavar="CODES", help="Findings that count: GC4,GC501; default: all."),
    click.option("--ignore", multiple=True, metavar="CODES", help="Findings that do not; the longest prefix decides."),
    click.option("--audit", is_flag=True, help="Compare the oracle with compiled jax.grad even where that was done."),
    limit_options,
)

traceback_option = click.option("--traceback", is_flag=True, help="Show the traceback of an internal error.")


def output_options(formats: Sequence[str] = FORMATS) -> Decorator:
    """Format and destination of what goes to stdout."""
    return apply(
        click.option("--output-format", type=click.Choice(formats), help="Default: rich."),
        click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there, not to stdout."),
    )
