"""Load a subject's file and look inside it: the one module here that touches the file system and sys.modules.

A file is executed under its own name, never as ``__main__``, so that code behind ``if __name__ == "__main__":`` stays
asleep. It must not know conventions.
"""

import __future__

import ast
import contextlib
import difflib
import importlib.util
import inspect
import linecache
import re
import signal
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from gradcheck.errors import SubjectError, UsageError
from gradcheck.subjects.binding import signature_text
from gradcheck.subjects.failures import details, outside_frames, place, subject_code, subject_error, summary
from gradcheck.subjects.siblings import rewriting
from gradcheck.subjects.sources import BUILTINS_OF_2, parsed, units_of
from gradcheck.subjects.tensors import NAMED, of_arrays

NOTES = "__gradcheck_notes__"
"""The member that holds what was rewritten or skipped while a file was loaded, one line each."""
_SHOWN = 5
TREE = "__gradcheck_tree__"
"""The member that holds the syntax tree that ran, where it is not that of the file."""
PATIENCE = 1.0
"""Seconds that one statement at the top of a file may run."""

_PYTHON_2 = (
    (r"^\s*print\s+[^\s(=.\[]|^\s*print\s+\(.*\)\s*%|^\s*print\s*$", "print without parentheses"),
    (r"^\s*except\s+[\w.()\s,]+,\s*\w+\s*:", "except E, e"),
    (r"\bxrange\s*\(", "xrange"),
    (r"^\s*raise\s+\w+\s*,", "raise E, message"),
    (r"\bexec\s+['\"]", "exec without parentheses"),
    (r"<>", "<>"),
)
_PYTHON_2_NAMES = ("xrange", "unicode", "raw_input", "basestring", "cPickle", "urllib2", "ConfigParser", "StringIO")


def split_target(target: str) -> tuple[str, str | None]:
    """``dir/file.py:Network`` as its path and object; a drive letter (``C:\\file.py``) is part of the path."""
    path, colon, name = target.rpartition(":")
    if not colon or re.fullmatch(r"[A-Za-z]", path) or not re.fullmatch(r"[^\W\d][\w.]*", name):
        return target, None
    return path, name


def check_path(path: str) -> Path:
    """The path of an existing Python file. Raises UsageError with what was given instead."""
    given = Path(path)
    if given.is_dir():
        files = sorted(p.name for p in given.glob("*.py"))
        msg = f"{path} is a directory; name one Python file{f', such as {given / files[0]}' if files else ''}"
        raise UsageError(msg)
    if not given.exists():
        raise UsageError(_no_such_file(given))
    if given.suffix not in (".py", ".ipynb"):
        msg = f"{path} is not a Python file: expected a name that ends in .py or .ipynb"
        raise UsageError(msg)
    return given


def load(path: str, object_name: str | None = None) -> Mapping[str, Any]:
    """Execute a file and give its members, or those of one object in it.

    Raises UsageError where there is no such file, and SubjectError of kind "load" or "exit" with the line in the file.
    """
    members = of_arrays(vars(execute(check_path(path))))
    if members.get(NAMED):
        told = f"computes with torch tensors: {', '.join(members[NAMED])}"
        members = {**members, NOTES: (*members.get(NOTES, ()), told)}
    if not object_name:
        return members
    found = resolve(members, object_name, path)
    notes = members.get(NOTES)
    return {**found, NOTES: notes} if notes else found


def execute(path: Path) -> types.ModuleType:
    """Run a file as a module of its own name, registered in sys.modules, with its folder on sys.path."""
    folders = extend_path(path.resolve())
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(
        name, path.resolve(), loader=SourceFileLoader(name, str(path.resolve()))
    )
    assert spec is not None, "check_path let only files with a loader pass"
    module = importlib.util.module_from_spec(spec)
    if "." in name:
        module.__package__ = name.rpartition(".")[0]
    sys.modules[name] = module
    try:
        with subject_code(), rewriting(folders) as rewritten:
            _run(path.resolve(), module)
            vars(module)[NOTES] = (*vars(module)[NOTES], *rewritten)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def module_name(path: Path) -> str:
    """The file's stem as a module name; prefixed where a module of another file has that name already."""
    stem = re.sub(r"\W", "_", path.stem)
    package = path.resolve().parent.name
    if package.isidentifier() and stem.isidentifier() and _relative(path):
        return f"{package}.{stem}"
    taken = sys.modules.get(stem)
    own = getattr(taken, "__file__", None) == str(path.resolve())
    return (
        stem if stem.isidentifier() and (own or (taken is None and not _importable(stem, path))) else f"subject_{stem}"
    )


def members_of(thing: Any) -> Mapping[str, Any]:
    """What a module, class, instance, mapping, namespace, function or (loss, backprop) pair has, by name."""
    match thing:
        case types.ModuleType() | types.SimpleNamespace():
            return vars(thing)
        case Mapping():
            return {str(name): value for name, value in thing.items()}
        case (loss, backprop) if callable(loss) and callable(backprop):
            return {"loss": loss, "backprop": backprop}
        case type():
            return {**_static_members(thing), thing.__name__: thing, "__name__": thing.__module__}
    if inspect.isroutine(thing):
        return {getattr(thing, "__name__", "function"): thing}
    return {**_attributes(thing), type(thing).__name__: type(thing), "__name__": type(thing).__module__}


def resolve(members: Mapping[str, Any], object_name: str, path: str) -> Mapping[str, Any]:
    """The members of the object of a dotted name, or all members with it as prefix (``affine`` of affine_forward).

    Raises SubjectError that lists the nearest names.
    """
    first, *rest = object_name.split(".")
    prefixed = {n: value for n, value in members.items() if n.startswith(f"{object_name}_") and callable(value)}
    if first not in members and prefixed:
        return prefixed
    thing = _member(members, first, path)
    if inspect.isroutine(thing) and not rest:
        return {first: thing, **prefixed}
    for depth, attribute in enumerate(rest, start=1):
        owner = ".".join([path, first, *rest[: depth - 1]])
        thing = _member(_attributes(thing), attribute, owner)
    return members_of(thing)


def describe_members(members: Mapping[str, Any]) -> list[str]:
    """The file's own functions with their signatures and its classes with their methods, one line each."""
    module = members.get("__name__")
    own = {n: v for n, v in members.items() if getattr(v, "__module__", None) == module} if module else dict(members)
    functions = [f"def {signature_text(n, f)}" for n, f in own.items() if inspect.isroutine(f)]
    classes = [_describe_class(n, c) for n, c in own.items() if inspect.isclass(c)]
    return classes + functions


def _run(path: Path, module: types.ModuleType) -> None:
    """Execute statement by statement, past the bytecode cache: it takes two edits within one second for the same file.

    A statement at the top that fails or does not end (training at import) is skipped with a note, as long as the file
    defines something; otherwise its failure is that of the file.
    """
    notes: list[str] = []
    failed: list[SubjectError] = []
    for unit in units_of(path):
        try:
            text = unit.text if path.suffix == ".ipynb" else path.read_bytes()
            p = parsed(unit, text)
        except (SyntaxError, ValueError) as error:
            failed.append(_broken(error))
            continue
        notes += p.notes
        if p.notes or path.suffix == ".ipynb":
            linecache.cache[unit.filename] = (len(p.unit.text), None, p.unit.text.splitlines(True), unit.filename)
        if any(note.partition(": ")[2].split(" ")[0] in BUILTINS_OF_2 for note in p.notes):
            vars(module).update({n: v for n, v in BUILTINS_OF_2.items() if n not in vars(module)})
        statements(p.tree, unit.filename, module, notes, failed)
    if failed and not defines(module):
        raise failed[0]
    skipped = [f"skipped while it was loaded: {e.message.splitlines()[0]}" for e in failed]
    more = [f"skipped while it was loaded: {len(skipped) - _SHOWN} more statements"] if len(skipped) > _SHOWN else []
    vars(module)[NOTES] = (*notes, *skipped[:_SHOWN], *more)


def _broken(error: SyntaxError | ValueError) -> SubjectError:
    if isinstance(error, SyntaxError):
        return _syntax_error(error)
    return SubjectError("load", f"{type(error).__name__}: {error}")


def statements(
    tree: ast.Module, filename: str, module: types.ModuleType, notes: list[str], failed: list[SubjectError]
) -> None:
    """Run the statements of a tree one by one; what cannot be run is kept in `failed` and passed over."""
    flags = 0
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                flags |= getattr(__future__, alias.name).compiler_flag
            continue
        code = compile(ast.Module([statement], []), filename, "exec", flags, dont_inherit=True)
        line = f"line {statement.lineno}" + (
            "" if " cell " not in filename else f" of {filename.rpartition(' cell ')[2]}"
        )
        try:
            with patience(_definition(statement)):
                exec(code, vars(module))
        except _Endless:
            notes.append(
                f"{line}: stopped after {PATIENCE:g} s, it seems to train at import; the definitions were loaded"
            )
        except (SystemExit, KeyboardInterrupt):
            raise
        except ImportError as error:
            failed.append(_import_error(error))
        except MemoryError as error:
            raise subject_error(error) from None
        except BaseException as error:
            failed.append(_exception(error))


def _definition(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom))


class _Endless(BaseException):
    """A statement did not end in time; no subject catches it by accident."""


@contextlib.contextmanager
def patience(unlimited: bool) -> Iterator[None]:
    """Interrupt what runs longer than `PATIENCE` seconds; only in the main thread, and where there are alarms."""
    if unlimited or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise _Endless

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def defines(module: types.ModuleType) -> bool:
    """Whether the file defines a class or a function that a subject might be."""
    own = (v for v in vars(module).values() if getattr(v, "__module__", None) == module.__name__)
    return any(inspect.isclass(v) or (inspect.isroutine(v) and inspect.signature(v).parameters) for v in own)


def extend_path(path: Path) -> list[Path]:
    """Put on sys.path the file's folder, and folders above it in which a module lies that the file imports; these folders."""
    folders = [path.parent]
    for name in _imported(path):
        if any((path.parent / n).exists() for n in (name, f"{name}.py")) or name in sys.stdlib_module_names:
            continue
        above = [p for p in list(path.parents)[1:5] if (p / name).is_dir() or (p / f"{name}.py").is_file()]
        folders += above[:1]
    if _relative(path):
        folders.append(path.parent.parent)
    for folder in reversed(dict.fromkeys(map(str, folders))):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    return folders


def _imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    try:
        tree = parsed(units_of(path)[0], path.read_bytes()).tree if path.suffix == ".py" else ast.Module([], [])
    except (SyntaxError, ValueError, OSError):
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))


def _imported(path: Path) -> list[str]:
    """First names of the modules that a file imports absolutely."""
    names = []
    for node in _imports(path):
        if isinstance(node, ast.Import):
            names += [alias.name.partition(".")[0] for alias in node.names]
        elif not node.level and node.module:
            names.append(node.module.partition(".")[0])
    return list(dict.fromkeys(names))


def _relative(path: Path) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.level for node in _imports(path))


def _syntax_error(error: SyntaxError) -> SubjectError:
    file, text = Path(error.filename or "?").name, (error.text or "").strip()
    hint = python_2_hint(_source_of(error))
    at = "" if error.lineno is None else f" in {file}:{error.lineno}: {text}"
    message = f"{type(error).__name__}: {error.msg}{at}{hint}"
    return SubjectError("load", message, details=details(error, []))


def _import_error(error: ImportError) -> SubjectError:
    frames = outside_frames(error)
    message = f"{summary(error)}{place(frames)}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = "; that is a module of Python 2" if error.name in _PYTHON_2_NAMES else ""
        hint = "; install gradcheck[torch]" if error.name == "torch" else hint
        message = f"it needs the module {error.name!r}, which is not installed{hint} ({message})"
    return SubjectError("load", message, details=details(error, frames))


def _exception(error: BaseException) -> SubjectError:
    frames = outside_frames(error)
    hint = ""
    if isinstance(error, NameError) and error.name in _PYTHON_2_NAMES:
        hint = f": {error.name} is Python 2; convert the file to Python 3 first"
    return SubjectError(
        "load", f"{summary(error)}{place(frames)} while it was loaded{hint}", details=details(error, frames)
    )


def python_2_hint(source: str) -> str:
    """`` (… this looks like Python 2)`` with the first sign of it in a source, else nothing."""
    for pattern, what in _PYTHON_2:
        if re.search(pattern, source, re.MULTILINE):
            return f" (this looks like Python 2: {what}; convert the file to Python 3 first)"
    return ""


def _source_of(error: SyntaxError) -> str:
    try:
        return Path(error.filename or "").read_text(errors="replace")
    except OSError:
        return error.text or ""


def _no_such_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"no such file: {path} (there is no directory {path.parent})"
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=3)
    return f"no such file: {path}{f'; did you mean {chr(32).join(near)}?' if near else ''}"


def _importable(stem: str, path: Path) -> bool:
    """Whether the name is that of another module that the file, or we, may still want to import."""
    if stem in sys.stdlib_module_names:
        return True
    try:
        spec = importlib.util.find_spec(stem)
    except (ImportError, ValueError, AttributeError):
        return False
    return spec is not None and spec.origin != str(path.resolve())


def _member(members: Mapping[str, Any], name: str, owner: str) -> Any:
    if name in members:
        return members[name]
    public = [n for n in members if not n.startswith("_")]
    near = difflib.get_close_matches(name, public, n=3, cutoff=0.5) or public[:8]
    msg = f"{owner} has no {name!r}; {'it has ' + ', '.join(near) if near else 'it has no public names'}"
    raise SubjectError("load", msg)


def _attributes(thing: Any) -> dict[str, Any]:
    """All attributes that can be read, bound to the object; special names left out."""
    found = {}
    for name in dir(thing):
        if name.startswith("__"):
            continue
        try:
            found[name] = getattr(thing, name)
        except Exception:  # a property of the subject's own, which may do anything
            continue
    return found


def _static_members(cls: type) -> dict[str, Any]:
    """What can be called on the class itself: static and class methods, and nested classes."""
    kinds = (staticmethod, classmethod, type)
    return {n: getattr(cls, n) for n, v in vars(cls).items() if isinstance(v, kinds) and not n.startswith("__")}


def _describe_class(name: str, cls: type) -> str:
    methods = [signature_text(n, f) for n, f in vars(cls).items() if inspect.isfunction(f)]
    return f"class {name}: {', '.join(methods) or 'no methods'}"
