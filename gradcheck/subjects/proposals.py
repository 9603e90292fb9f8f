"""What a file needs to be checked when detection was not enough: a few lines of configuration, or a small adapter.

The nearest class or function is found by its names and arguments; what is understood is written out, what is not is a call of
`fill_in("…")` that says itself what is missing when it is run. Nothing is written to disk here.
"""

import ast
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gradcheck.errors import GradcheckError, SubjectError
from gradcheck.subjects.binding import bind
from gradcheck.subjects.detect import CONVENTIONS, detect
from gradcheck.subjects.layer_trial import BACKWARD, FORWARD
from gradcheck.subjects.loading import NOTES
from gradcheck.subjects.match import Match, own_classes, own_functions
from gradcheck.subjects.model_calls import CONSTRUCTOR, WORDS
from gradcheck.subjects.model_plans import unlikely
from gradcheck.subjects.sources import parsed, units_of

HEAD = '''\
"""Adapter of {file} for gradcheck. Replace each fill_in(...) by what it asks for, then run: gradcheck verify {adapter}"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from gradcheck.subjects import load

student = SimpleNamespace(**load(str(Path(__file__).with_name({file!r}))))


def fill_in(what):
    """Marks what gradcheck could not know."""
    raise NotImplementedError(f"fill in: {{what}}")
'''
KNOWN = {
    "sigmoid": "1 / (1 + np.exp(-z))",
    "tanh": "np.tanh(z)",
    "relu": "np.maximum(0, z)",
    "softmax": "np.exp(z - z.max()) / np.exp(z - z.max()).sum(axis=-1, keepdims=True)",
    "sigmoid_backward": "z[0] / (1 + np.exp(-z[1])) * (1 - 1 / (1 + np.exp(-z[1])))",
    "relu_backward": "z[0] * (z[1] > 0)",
}
"""Usual definitions of names that a missing module would have given; they are marked as a guess."""
_DERIVATIVE = re.compile(r"(?i)act.*(prime|deriv)|^d_?(act|sig)|deriv|prime")
_GUESSES = (
    (r"(?i)path|file|folder|dir$", '""'),
    (r"(?i)seed|random_state", "0"),
    (r"(?i)verbose|debug|plot|print|log", "False"),
    (r"(?i)^(n_?)?(epochs?|iter)|iterations", "1"),
    (r"(?i)batch", "1"),
)
_OF_FUNCTIONS = (
    (_DERIVATIVE.pattern, "lambda z: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))"),
    (r"(?i)^(act|sigm|nonlin|transfer|squash)", "lambda z: 1 / (1 + np.exp(-z))"),
)
"""What may be handed over as a parameter of unknown meaning, marked as a guess: an activation only beside its derivative."""
_SIZES = {
    "input": "input_size",
    "hidden": "hidden_size",
    "labels": "output_size",
    "sizes": "[input_size, hidden_size, output_size]",
    "hiddens": "[hidden_size]",
    "rate": "0.1",
    "l2": "0.0",
    "dtype": '"float64"',
    "theta": 'fill_in("theta")',
    "X": 'fill_in("X")',
    "y": 'fill_in("y")',
}
_VALUES = {
    "X": "X",
    "Y": "y",
    "parameters": "params",
    "weights": "[W1, W2]",
    "biases": "[b1, b2]",
    "lambd": "0.0",
    "rate": "0.1",
    "depth": "2",
    "samples": "len(X)",
    "sizes": "[X.shape[1], b1.size, b2.size]",
    "AL": 'fill_in("the output of the forward pass")',
    "cache": 'fill_in("what the forward pass keeps")',
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """kind: recognised (nothing to write), configuration (a table for gradcheck.toml), adapter (a Python file), or nothing.

    reason: in words, for the user. open: what is left to fill in.
    """

    kind: Literal["recognised", "configuration", "adapter", "nothing"]
    reason: str
    text: str = ""
    open: tuple[str, ...] = ()


def proposal(members: Mapping[str, Any], path: Path, adapter: str, object_name: str | None = None) -> Proposal:
    """What a loaded file needs. adapter: the name that an adapter would get."""
    used = _names_used(members)
    missing = [(n, m) for n, m in missing_names(path) if n in used]
    try:
        found = detect(members, path.name)
    except SubjectError as error:
        if missing and not object_name:
            return _elsewhere(members, path, missing) or _with_definitions(path, adapter, missing)
        return _unrecognised(members, path, adapter, error)
    if missing:
        return _with_definitions(path, adapter, missing)
    convention = found.offer.convention
    reason = f"{path.name} is recognised as {convention}: run `gradcheck verify {_target(path, object_name)}`"
    return Proposal("recognised", reason, configuration(path, convention, object_name, certain=True))


def _target(path: Path, object_name: str | None) -> str:
    return f"{path}:{object_name}" if object_name else str(path)


def configuration(
    path: Path, convention: str, object_name: str | None, *, certain: bool, name: str | None = None
) -> str:
    """A table for gradcheck.toml."""
    stem = re.sub(r"\W+", "_", path.stem)
    lines = [f"[subjects.{name or stem}]", f'path = "{path.as_posix()}"']
    lines += [f'object = "{object_name}"'] if object_name else []
    lines += [
        f'convention = "{convention}"' + ("" if certain else "  # the nearest; `gradcheck conventions` shows all")
    ]
    return "\n".join(lines) + "\n"


def missing_names(path: Path) -> Iterator[tuple[str, str]]:
    """(name, module) of what the file imports from modules that are not there."""
    for node in _nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level and not _there(node.module, path):
            yield from ((alias.asname or alias.name, node.module) for alias in node.names)


def _nodes(path: Path) -> Iterator[ast.AST]:
    for unit in units_of(path):
        try:
            tree = parsed(unit, unit.text if path.suffix == ".ipynb" else path.read_bytes()).tree
        except (SyntaxError, ValueError, GradcheckError):
            continue
        yield from ast.walk(tree)


def _unpacked(path: Path) -> set[str]:
    """The functions whose result is unpacked into two: A, cache = sigmoid(Z)."""
    assigned = [n for n in _nodes(path) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    pairs = [n for n in assigned if isinstance(n.targets[0], ast.Tuple) and len(n.targets[0].elts) == 2]
    return {n.value.func.id for n in pairs if isinstance(n.value, ast.Call) and isinstance(n.value.func, ast.Name)}


def _there(module: str, path: Path) -> bool:
    first = module.partition(".")[0]
    if (path.parent / first).exists() or (path.parent / f"{first}.py").exists():
        return True
    try:
        return importlib.util.find_spec(first) is not None
    except (ImportError, ValueError):
        return False


def _names_used(members: Mapping[str, Any]) -> set[str]:
    """The global names that the functions of a network use, or, without such, all functions."""
    functions = own_functions(members)
    part = {
        n: f for n, f in functions.items() if re.search(r"(?i)back|grad|forward|cost|loss|prop", n) and not unlikely(n)
    }
    codes = [f.__code__ for f in (part or functions).values() if hasattr(f, "__code__")]
    return {n for code in codes for n in code.co_names}


def _elsewhere(members: Mapping[str, Any], path: Path, missing: Sequence[tuple[str, str]]) -> Proposal | None:
    """Nothing to write, where the gradients themselves would have been in a missing module."""
    backward = [(n, m) for n, m in missing if re.search(r"(?i)back", n)]
    own = [n for n in own_functions(members) if re.search(r"(?i)back|grad|deriv", n) and not unlikely(n)]
    if not backward or own or own_classes(members):
        return None
    names, modules = (", ".join(dict.fromkeys(x)) for x in zip(*backward, strict=True))
    advice = f"verify the file that defines {names}, or put {modules} beside {path.name}"
    return Proposal(
        "nothing", f"{path.name} holds no gradient of its own: {names} is in {modules}, which is not there; {advice}"
    )


def _with_definitions(path: Path, adapter: str, missing: Sequence[tuple[str, str]]) -> Proposal:
    """An adapter that gives the file the names that a missing module should have given."""
    modules = ", ".join(dict.fromkeys(m for _, m in missing))
    lines = [
        f'"""Adapter of {path.name} for gradcheck: it imports from {modules}, which is not there. Give it those names below,',
        f'or put the module beside it and delete this file. Then run: gradcheck verify {adapter}"""',
        "",
        "from pathlib import Path",
        "",
        "import numpy as np",
        "",
        "from gradcheck.subjects import load",
        "",
        f"student = load(str(Path(__file__).with_name({path.name!r})))",
        "",
    ]
    pairs = _unpacked(path)
    for name, _ in missing:
        known = KNOWN.get(name.lower())
        known = f"({known}, z)" if known and name in pairs else known
        body = f"{known}  # a guess: compare it with the original" if known else f'fill_in("{name}")'
        taken = "*z" if name.endswith("_backward") else "z"
        lines += [f'student["{name}"] = lambda {taken if known else "*values"}: {body}']
    if any(n.lower() not in KNOWN for n, _ in missing):
        lines[-len(missing) : -len(missing)] = [
            "def fill_in(what):",
            '    """Marks what gradcheck could not know."""',
            '    raise NotImplementedError(f"fill in: {what}")',
            "",
            "",
        ]
        lines.insert(-len(missing), "")
    lines += [
        "globals().update({n: v for n, v in student.items() if not n.startswith('__')})",
        '__name__ = student["__name__"]',
        "",
    ]
    left = tuple(n for n, _ in missing if n.lower() not in KNOWN)
    reason = f"{path.name} imports {', '.join(n for n, _ in missing)} from {modules}, which is not there"
    return Proposal("adapter", reason, "\n".join(lines), left)


def _unrecognised(members: Mapping[str, Any], path: Path, adapter: str, error: SubjectError) -> Proposal:
    matches = [c.match(members, path.name) for c in CONVENTIONS.values()]
    several = next((m for m in matches if m.candidates), None)
    fits = [m for m in matches if m.adapter is not None]
    if several is not None:
        tables = [configuration(path, several.convention, c, certain=True, name=c) for c in several.candidates]
        text = "\n".join(tables)
        return Proposal("configuration", f"{path.name} holds several objects that follow {several.convention}", text)
    if len(fits) > 1:
        text = configuration(path, fits[0].convention, None, certain=False)
        return Proposal("configuration", f"{path.name} follows {', '.join(m.convention for m in fits)}", text)
    made = next(_adapters(members), None)
    if made is None:
        found = error.message.partition("\nwhat to do:")[0]  # which is to run this very command
        advice = "what to do: `gradcheck conventions` shows, for every convention, what the file would have to hold"
        lacks = f"{path.name} has no class and no function that computes gradients by its name"
        return Proposal("nothing", f"{lacks}\n{found}\n{advice}")
    text = HEAD.format(file=path.name, adapter=adapter) + made
    left = tuple(dict.fromkeys(re.findall(r'fill_in\("([^"]+)"\)', made)))
    return Proposal("adapter", _nearest(matches), text, left)


def _nearest(matches: Sequence[Match]) -> str:
    whole = ("model_object", "model_functions")
    near = sorted(
        (m for m in matches if m.found), key=lambda m: (m.convention not in whole, len(m.missing), -len(m.found))
    )
    if not near:
        return "nothing in it is close to a convention"
    return f"the nearest convention is {near[0].convention}; it lacks: {near[0].missing[0]}"


def _adapters(members: Mapping[str, Any]) -> Iterator[str]:
    """Adapter texts, the likeliest first: of a class with a backward method, then of a function."""
    for name, cls in own_classes(members).items():
        methods = {n: f for n, f in inspect.getmembers(cls, inspect.isfunction) if not n.startswith("__")}
        backward = next((n for n in methods if n in BACKWARD or re.search(r"back|grad|train|fit|delta", n)), None)
        if backward is not None:
            yield "\n".join(["", "", *_class_lines(name, cls, methods, backward), ""])
    functions = own_functions(members)
    likely = [n for n in functions if re.search(r"(?i)back|grad|deriv|loss|cost|train|delta", n)]
    for name in sorted(likely, key=lambda n: not re.search(r"(?i)back|grad|deriv|delta", n)):
        yield "\n".join(["", "", *_function_lines(name, functions[name]), ""])
    yield from _factory(members)


def _factory(members: Mapping[str, Any]) -> Iterator[str]:
    """An adapter of a function that takes sizes and makes a network out of closures."""
    for name, function in own_functions(members).items():
        if bind(function, CONSTRUCTOR).takes & {"sizes", "input"}:
            yield "\n".join(["", "", *_factory_lines(name, function), ""])


def _factory_lines(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield "class Adapted:"
    yield f'    """What {name} makes, as gradcheck calls it: W1, b1, ... are the very arrays that its functions use."""'
    yield ""
    yield "    def __init__(self, input_size, hidden_size, output_size):"
    yield f"        self.made = student.{name}({_arguments(function, CONSTRUCTOR, _SIZES)})"
    yield '        self.W1, self.b1, self.W2, self.b2 = fill_in("the arrays of self.made, by reference")'
    yield ""
    yield "    def forward(self, X):"
    yield '        return fill_in("the outputs of self.made for X")'
    yield ""
    yield "    def backward(self, X, y):"
    yield '        return fill_in("the gradients dW1, db1, dW2, db2 that self.made gives for X and y")'


def _class_lines(name: str, cls: type, methods: Mapping[str, Any], backward: str) -> Iterator[str]:
    yield f"class Adapted(student.{name}):"
    yield f'    """{name} as gradcheck calls it: sizes first, then forward and backward."""'
    yield ""
    yield "    def __init__(self, input_size, hidden_size, output_size):"
    made = _arguments(cls, CONSTRUCTOR, _SIZES)
    yield f"        super().__init__({made}){_guessed(made)}"
    forward = next((n for n in methods if n in FORWARD), None)
    if forward is None:
        guess = next((n for n, f in methods.items() if n != backward and "X" in bind(f, WORDS).takes), None)
        yield ""
        yield "    def forward(self, X):"
        yield (
            f"        return self.{guess}({_arguments(methods[guess], WORDS, _VALUES)})"
            if guess
            else ('        return fill_in("the outputs of the network for X, one row a sample")')
        )
    if bind(methods[backward], WORDS).missing or backward not in BACKWARD:
        yield ""
        yield "    def backward(self, X, y):"
        call = f"super().{backward}" if backward == "backward" else f"self.{backward}"
        yield f"        return {call}({_arguments(methods[backward], WORDS, _VALUES)})"


def _function_lines(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield "def loss_and_gradients(params, X, y):"
    yield '    """params: {"W1": (n_0, n_1), "b1": (n_1,), "W2": (n_1, n_2), "b2": (n_2,)}; X (m, n_0), y (m, n_2),'
    yield '    or any other layout and number of layers. Returns the loss and the gradients under the same keys."""'
    yield '    W1, b1, W2, b2 = (params[k] for k in ("W1", "b1", "W2", "b2"))'
    yield f"    result = student.{name}({_arguments(function, WORDS, _VALUES)})"
    yield '    loss = fill_in("the loss: part of result, or a call of its own")'
    yield '    grads = fill_in("a dict of the gradients in result, by the keys of params")'
    yield "    return loss, grads"


def _arguments(function: Any, meanings: Mapping[str, Sequence[str]], values: Mapping[str, str]) -> str:
    """The arguments of a call: what is understood written out, what is not marked."""
    binding = bind(function, meanings)
    named: dict[str, str | None] = {**binding.keywords, **dict.fromkeys(binding.missing)}
    order = [p for p in inspect.signature(function).parameters if p in named]
    guesses = (*_OF_FUNCTIONS, *_GUESSES) if any(_DERIVATIVE.search(p) for p in order) else _GUESSES
    meant = {p: values[m] for p in order if (m := named[p]) is not None and m in values}
    return ", ".join(f"{p}={meant[p]}" if p in meant else _open(p, guesses) for p in order)


def _open(parameter: str, guesses: Sequence[tuple[str, str]]) -> str:
    if re.fullmatch(r"[Wb]\d", parameter):
        return f"{parameter}={parameter}"
    guess = next((text for pattern, text in guesses if re.search(pattern, parameter)), None)
    return f"{parameter}={guess}" if guess else f'{parameter}=fill_in("{parameter}")'


def _guessed(call: str) -> str:
    """A comment that names what was guessed in a call."""
    texts = [text for _, text in (*_OF_FUNCTIONS, *_GUESSES)]
    names = [n for n in re.findall(r"(\w+)=", call) if any(f"{n}={text}" in call for text in texts)]
    return f"  # {', '.join(dict.fromkeys(names))}: a guess, put your own there" if names else ""


__all__: Sequence[str] = ["NOTES", "Proposal", "configuration", "missing_names", "proposal"]
