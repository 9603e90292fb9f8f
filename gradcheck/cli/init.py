"""`gradcheck init FILE`: the configuration or the small adapter that a file needs when it is not recognised as it is."""

import contextlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.subjects.proposals import Proposal


@click.command()
@click.argument("target", metavar="PATH[:OBJECT]")
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to write; default: beside PATH.")
@click.option("--always", is_flag=True, help="Write the configuration of a file that is recognised without one too.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")
def init(target: str, output: Path | None, always: bool, dry_run: bool) -> int:
    """Write the configuration or the adapter that a file needs, with what is left to fill in marked. Never overwrites."""
    from gradcheck.campaign.opening import same_import_path  # lazily: these import numpy
    from gradcheck.cli.delivery import print_stdout
    from gradcheck.subjects import check_path, load, split_target
    from gradcheck.subjects.proposals import proposal

    name, object_name = split_target(target)
    path = check_path(name)
    stem = re.sub(r"\W", "_", path.stem)
    adapter = output or path.with_name(f"{stem}_gradcheck.py")
    with same_import_path(), contextlib.redirect_stdout(io.StringIO()):  # what the file prints while it is loaded
        found = proposal(load(str(path), object_name), path, adapter.name, object_name)
    if found.kind in ("recognised", "nothing") and not (always and found.text):
        print_stdout(f"{found.reason}\n")
        return 0 if found.kind == "recognised" else 1
    place = adapter if found.kind == "adapter" else output or Path("gradcheck.toml")
    _deliver(found, place, dry_run=dry_run)
    return 0


def _deliver(found: "Proposal", place: Path, *, dry_run: bool) -> None:
    """Write, or print where there is a file already that must not be overwritten."""
    from gradcheck.cli.delivery import print_stdout

    if dry_run:
        print_stdout(found.text)
        return
    if place.exists():
        msg = f"{place} is there already, and nothing is overwritten; name another --output\n\n{found.text}"
        raise UsageError(msg)
    place.write_text(found.text, encoding="utf-8")
    left = "".join(f"  fill in: {what}\n" for what in found.open)
    after = f"gradcheck verify {place}" if place.suffix == ".py" else "gradcheck verify"
    print_stdout(f"{found.reason}\nwrote {place}\n{left}then run: {after}\n")
