"""Modules that lie beside a subject and that it imports: in Python 2, they are rewritten like the subject itself.

Imports of what is not installed are passed over in them too. Only while the subject is loaded, only files of its own
folders, and only those that do not run as they are. No bytecode of rewritten text is kept.
"""

import ast
import contextlib
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck.subjects.sources import BUILTINS_OF_2, Unit, parsed


class _Loader(SourceFileLoader):
    """Compiles the rewritten text where the file's own does not parse."""

    notes: list[str]

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override,unused-ignore]
        """The code of the file, or of its text in Python 3."""
        try:
            return super().source_to_code(data, path)
        except SyntaxError:
            rewritten = parsed(Unit(str(path), ""), bytes(data))
            self.notes += [f"{Path(str(path)).name}: {note}" for note in rewritten.notes]
            return compile(rewritten.tree, str(path), "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        """Run it, with the names of Python 2 at hand where it is written in that."""
        try:
            compile(Path(self.path).read_bytes(), self.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            vars(module).update(BUILTINS_OF_2)
        try:
            super().exec_module(module)
        except ImportError as error:
            self._without_what_is_not_there(module, error)

    def _without_what_is_not_there(self, module: ModuleType, error: ImportError) -> None:
        """Run it again statement by statement, past imports of modules that are not installed and values that are made of them,
        as the subject itself is run."""
        tree = parsed(Unit(self.path, ""), Path(self.path).read_bytes()).tree
        lost: set[str] = set()
        for statement in (one for s in tree.body for one in _one_by_one(s)):
            code = compile(ast.Module([statement], []), self.path, "exec", dont_inherit=True)
            try:
                exec(code, vars(module))
            except ImportError as missing:
                if not isinstance(statement, (ast.Import, ast.ImportFrom)):
                    raise error from None
                lost |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
                self.notes.append(f"{Path(self.path).name}: {_what_is_missing(missing)}")
            except NameError as unknown:
                if unknown.name not in lost or not isinstance(statement, (ast.Assign, ast.Expr)):
                    raise error from None

    def set_data(self, path: Any, data: Any, *, _mode: int = 0o666) -> None:
        """No bytecode is written."""


def _one_by_one(statement: ast.stmt) -> list[ast.stmt]:
    """``from a import b, c`` as two statements."""
    if not isinstance(statement, ast.ImportFrom) or statement.module == "__future__":
        return [statement]
    return [
        ast.copy_location(ast.ImportFrom(statement.module, [alias], statement.level), statement)
        for alias in statement.names
    ]


def _what_is_missing(error: ImportError) -> str:
    return (
        f"the module {error.name!r} is not installed" if isinstance(error, ModuleNotFoundError) else f"skipped: {error}"
    )


class _Finder(MetaPathFinder):
    """Finds what lies in the folders, as Python would, and loads it with `_Loader`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [f.resolve() for f in folders]
        self.notes: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of these folders; None for any other."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        if not any(Path(spec.origin).resolve().is_relative_to(f) for f in self._folders):
            return None
        spec.loader = _Loader(fullname, spec.origin)
        spec.loader.notes = self.notes
        return spec


@contextlib.contextmanager
def rewriting(folders: Sequence[Path]) -> Iterator[list[str]]:
    """While it lasts, modules of these folders may be in Python 2; what is rewritten is noted in the list."""
    finder = _Finder(folders)
    sys.meta_path.insert(0, finder)
    try:
        yield finder.notes
    finally:
        sys.meta_path.remove(finder)
