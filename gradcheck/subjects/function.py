"""Any function as a subject: its arguments and results are pytrees of arrays, the checks see named real arrays.

A complex array z of shape s is the real array (*s, 2) of (Re z, Im z). A derivative is a real covector (α, β) = (∂/∂x, ∂/∂y);
a convention writes it as one complex number: "jax" as α − iβ, "torch" (or "conjugate") as its conjugate α + iβ. All results
together are one real vector, in which the cotangent lives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import OperationCase, Point
from gradcheck.numerics import Array, Arrays
from gradcheck.numerics.trees import Mismatch, leaves, mapped, matched
from gradcheck.subjects.arrays import Kind, differentiable, kind_of, precision, to_numpy
from gradcheck.subjects.claims import shape_message
from gradcheck.subjects.effects import observe
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.protocol import Call, Claim, Effect, Malformed, Offer, Problem, Pullback

ROUNDOFF: Mapping[str, float] = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
_STORED = {"bfloat16": "float32"}


@dataclass(frozen=True)
class Leaf:
    """One differentiable array of a tree: its shape, its library, its precision, and whether it is complex."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    complex: bool
    kind: Kind

    @property
    def real_shape(self) -> tuple[int, ...]:
        """The shape of its real form."""
        return (*self.shape, 2) if self.complex else self.shape

    def numpy_dtype(self, wide: bool) -> np.dtype[Any]:
        """What it is stored in; `wide`: in double precision whatever its own is."""
        name = "float64" if wide else _STORED.get(self.dtype, self.dtype)
        kind = {"float64": "complex128", "float32": "complex64", "float16": "complex64"}[name] if self.complex else name
        return np.dtype(kind)

    def to_real(self, value: Any) -> Array:
        """The real form, float64, of an array in the leaf's own."""
        a = np.asarray(to_numpy(value))
        if not self.complex:
            return np.array(a, dtype=np.float64)
        return np.stack([a.real, a.imag], axis=-1).astype(np.float64)

    def stored(self, real: Array, wide: bool = False) -> Array:
        """A fresh numpy array of the leaf's dtype from its real form."""
        value = real[..., 0] + 1j * real[..., 1] if self.complex else real
        return np.array(value, dtype=self.numpy_dtype(wide))


class Form:
    """How a tree of arrays and the named real arrays of a case stand for each other; other leaves stay as they are."""

    def __init__(self, parts: Sequence[tuple[str, Any]]) -> None:
        self.parts = tuple(parts)
        self.leaves: dict[str, Leaf] = {}
        for root, tree in self.parts:
            for path, value in leaves(tree, root):
                if differentiable(value):
                    a = to_numpy(value)
                    self.leaves[path] = Leaf(path, a.shape, precision(value), a.dtype.kind == "c", kind_of(value))

    @cached_property
    def dtype(self) -> str:
        """The coarsest precision among the leaves."""
        return max((leaf.dtype for leaf in self.leaves.values()), key=ROUNDOFF.__getitem__, default="float64")

    @property
    def complex(self) -> bool:
        """Whether any leaf is complex."""
        return any(leaf.complex for leaf in self.leaves.values())

    def named(self, trees: Sequence[Any]) -> dict[str, Array]:
        """The real form of such trees."""
        values = {p: v for (root, _), tree in zip(self.parts, trees, strict=True) for p, v in leaves(tree, root)}
        return {path: leaf.to_real(values[path]) for path, leaf in self.leaves.items()}

    def rounded(self, values: Arrays) -> dict[str, Array]:
        """The nearest values that the leaves' own precision holds."""
        return {n: self.leaves[n].to_real(self.leaves[n].stored(a)) for n, a in values.items()}

    def stored(self, values: Arrays, wide: bool = False) -> dict[str, Array]:
        """Fresh numpy arrays for each leaf."""
        return {n: leaf.stored(values[n], wide) for n, leaf in self.leaves.items()}

    def trees(self, stored: Arrays, absent: bool = False) -> list[Any]:
        """The trees that hold these very arrays, each in its own library; constants as they are, or None if `absent`."""

        def change(path: str, value: Any) -> Any:
            leaf = self.leaves.get(path)
            if leaf is None:
                return None if absent else value
            return leaf.kind.build(stored[path])

        return [mapped(tree, root, change) for root, tree in self.parts]

    def ravel(self, values: Arrays) -> Array:
        """All leaves in one real vector."""
        return np.concatenate([values[n].ravel() for n in self.leaves] or [np.zeros(0)])

    def unravel(self, vector: Array) -> dict[str, Array]:
        """The inverse."""
        out, start = {}, 0
        for n, leaf in self.leaves.items():
            stop = start + int(np.prod(leaf.real_shape))
            out[n] = np.asarray(vector[start:stop], dtype=np.float64).reshape(leaf.real_shape)
            start = stop
        return out


def conjugated(form: Form, values: Arrays) -> dict[str, Array]:
    """The imaginary parts of complex leaves with the other sign."""
    return {n: a * np.array([1.0, -1.0]) if form.leaves[n].complex else a for n, a in values.items()}


@dataclass(frozen=True, slots=True)
class Convention:
    """Whether cotangents are handed over, and results are read, as α − iβ (conjugated) rather than α + iβ."""

    name: str
    handed: bool
    read: bool


CONVENTIONS: Mapping[str, Convention] = {
    "jax": Convention("jax", True, True),
    "torch": Convention("torch", False, False),
}
MIXED = (Convention("result", True, False), Convention("cotangent", False, True))


class FunctionAdapter:
    """Adapter of primal(*arguments) and derivative(cotangent, *arguments) -> cotangents of the arguments.

    Forms are kept by number (`fixed["form"]` of a case), since a strategy may draw other shapes each time.
    forward: what the derivative's own forward pass gives, where that is other code than the primal.
    """

    def __init__(
        self,
        primal: Callable[..., Any],
        pullback: Callable[..., Any],
        name: str,
        static: Mapping[str, Any],
        convention: Convention = CONVENTIONS["jax"],
        forward: Callable[..., Any] | None = None,
    ) -> None:
        self.primal, self.pullback, self.name, self.static = primal, pullback, name, dict(static)
        self.convention = convention
        self.forward_pass = forward or primal
        self.forms: list[tuple[Form, Form]] = []
        self.wide = False

    @property
    def offer(self) -> Offer:
        """One operation: the function itself."""
        return Offer(self.name, "vjp", kind="operation", operations=(self.name,))

    def case(self, parts: Sequence[tuple[str, Any]], draw: Callable[[tuple[int, ...]], Array]) -> OperationCase:
        """A case at these arguments, with a cotangent from `draw`. Raises SubjectError where the primal fails."""
        form = Form(parts)
        stored = form.stored(form.named([t for _, t in parts]))
        with subject_code():
            output = self.primal(*form.trees(stored), **self.static)
        results = Form([("output", output)])
        if not results.leaves:
            msg = f"the primal must return real or complex arrays; it returned {type(output).__name__}: {output!r:.80}"
            raise SubjectError("contract", msg)
        self.forms.append((form, results))
        cotangent = results.rounded({n: draw(leaf.real_shape) for n, leaf in results.leaves.items()})
        dtype = max(form.dtype, results.dtype, key=ROUNDOFF.__getitem__)
        fixed = {"form": len(self.forms) - 1, "dtypes": {n: leaf.dtype for n, leaf in form.leaves.items()}}
        fixed["complex"] = [n for n, leaf in form.leaves.items() if leaf.complex]
        named = form.named([t for _, t in parts])
        return OperationCase(f"vjp of {self.name}", named, results.ravel(cotangent), fixed, dtype)

    def form(self, point: Point) -> tuple[Form, Form]:
        """The forms of arguments and results at a case."""
        assert isinstance(point, OperationCase)
        return self.forms[int(point.fixed["form"])]

    def call(self, point: Point, layout: Layout) -> Call:
        """Fresh arrays for all arguments, and for the cotangent."""
        form, results = self.form(point)
        arrays: dict[str, Any] = dict(form.stored(point.arguments, self.wide))
        cotangents = self._handed(results, point.cotangent)
        arrays.update({_cotangent_name(n): a for n, a in cotangents.items()})
        return Call(point, layout, arrays, {"arguments": form.trees({n: arrays[n] for n in form.leaves})})

    def value(self, call: Call) -> Array:
        """The primal, as one real vector."""
        results = self.form(call.point)[1]
        output = self.primal(*self._arguments(call), **self.static)
        return results.ravel(_read_output(results, output))

    def output(self, call: Call) -> Array:
        """What the derivative's own forward pass gives."""
        results = self.form(call.point)[1]
        return results.ravel(_read_output(results, self.forward_pass(*call.rest["arguments"], **self.static)))

    def cost_derivative(self, call: Call, a: Array, y: Array) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        """The pullback's cotangents by path, as it returned them."""
        form, results = self.form(call.point)
        arrays = {n: call.arrays[_cotangent_name(n)] for n in results.leaves}
        for n, a in self._handed(results, cotangent).items():
            if "arranged" not in call.rest and not np.array_equal(arrays[n], a):
                arrays[n][...] = a
        ct = results.trees(arrays, absent=True)[0]
        call.between()
        raw = self.pullback(ct, *self._arguments(call), **self.static)
        return read_tree(form, raw)

    def _arguments(self, call: Call) -> list[Any]:
        """The trees handed over; built anew where an experiment arranged their arrays in another way."""
        form = self.form(call.point)[0]
        arranged = "arranged" in call.rest
        arguments: list[Any] = (
            form.trees({n: call.arrays[n] for n in form.leaves}) if arranged else call.rest["arguments"]
        )
        return arguments

    def _handed(self, results: Form, vector: Array) -> dict[str, Array]:
        values = results.unravel(vector)
        return results.stored(conjugated(results, values) if self.convention.handed else values)

    def real_claim(self, form: Form, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays of a claim as real covectors."""
        values = {n: form.leaves[n].to_real(a) for n, a in arrays.items()}
        return conjugated(form, values) if self.convention.read else values


def _cotangent_name(path: str) -> str:
    return "cotangent" + path.removeprefix("output")


def read_tree(form: Form, raw: Any) -> dict[str, Any]:
    """What a pullback returned, by path. Raises Malformed with the path at which it has another structure."""
    single = len(form.parts) == 1
    if isinstance(raw, Mapping) and not single and {r for r, _ in form.parts} & set(raw):
        raw = [raw.get(root) for root, _ in form.parts]
    several = raw if isinstance(raw, (tuple, list)) else [raw]
    try:
        if single:
            return _read_single(form, raw)
        if len(several) != len(form.parts):
            msg = f"expected {len(form.parts)} cotangents, one an argument; the pullback returned {len(several)}"
            raise Malformed("count", "cotangents", msg)
        return {n: v for part, given in zip(form.parts, several, strict=True) for n, v in _read(form, part, given)}
    except Mismatch as found:
        what = f"the pullback's result does not fit the arguments: {found.message}"
        raise Malformed(found.kind, found.path, what) from None  # type: ignore[arg-type]


def _read_single(form: Form, raw: Any) -> dict[str, Any]:
    """One argument: its cotangent as it is, or in a tuple of one."""
    (part,) = form.parts
    if isinstance(raw, (tuple, list)):
        if len(raw) == 1:
            try:
                return dict(_read(form, part, raw[0]))
            except Mismatch:
                return dict(_read(form, part, raw))
        if not isinstance(part[1], (tuple, list)):
            msg = f"expected 1 cotangent, one an argument; the pullback returned {len(raw)}"
            raise Malformed("count", "cotangents", msg)
    return dict(_read(form, part, raw))


def _read(form: Form, part: tuple[str, Any], given: Any) -> list[tuple[str, Any]]:
    root, tree = part
    return [(path, value) for path, _, value in matched(tree, given, root, differentiable)]


def _read_output(results: Form, output: Any) -> dict[str, Array]:
    """The results in their real form; another structure or shape than at the first call breaks the contract."""
    try:
        found = {path: value for path, _, value in matched(results.parts[0][1], output, "output", differentiable)}
    except Mismatch as mismatch:
        msg = f"the primal returned another structure than before: {mismatch.message}"
        raise SubjectError("contract", msg) from None
    out = {}
    for n, leaf in results.leaves.items():
        a = to_numpy(found[n])
        if a.shape != leaf.shape:
            msg = f"{n} of the primal had shape {leaf.shape}, and has shape {a.shape} at other numbers"
            raise SubjectError("contract", msg)
        out[n] = leaf.to_real(a if leaf.complex else np.real(a))
    return out


class FunctionSubject:
    """`Subject` around a FunctionAdapter. `wide`: whether its forward pass is differenced in double precision."""

    def __init__(self, adapter: FunctionAdapter) -> None:
        self.adapter = adapter
        self.wide = False

    @property
    def offer(self) -> Offer:
        """What the adapter offers."""
        return self.adapter.offer

    def forward(self, points: Sequence[Point], layout: Layout) -> list[Array]:
        """Primal values, one real vector a point."""
        self.adapter.wide = self.wide
        try:
            return [self._value(p, layout) for p in points]
        finally:
            self.adapter.wide = False

    def output(self, case: Any, layout: Layout) -> Array:
        """What the derivative's own forward pass gives."""
        with subject_code():
            return self.adapter.output(self.adapter.call(case, layout))

    def cost_derivative(self, case: Any, a: Array, y: Array, layout: Layout) -> Array:
        """Not part of this convention."""
        raise NotImplementedError

    def vjp(self, point: Point, layout: Layout) -> tuple[Array | None, Pullback]:
        """The value of the derivative's own forward pass, and the pullback on real covectors."""
        return self.output(point, layout), lambda cotangent: self.claim(point, layout, cotangent)

    def effects(self, point: Point, other: Point, layout: Layout) -> list[Effect]:
        """What `observe` sees; nothing where the results cannot be read (the structure check says so)."""
        try:
            return observe(_Readable(self.adapter), point, other, layout)
        except Malformed:
            return []

    def claim(self, point: Point, layout: Layout, cotangent: Array) -> Claim:
        """The claim as real covectors, and what is wrong with its form."""
        form = self.adapter.form(point)[0]
        try:
            with subject_code():
                raw = self.adapter.gradient(self.adapter.call(point, layout), cotangent)
        except Malformed as malformed:
            return Claim({}, (malformed.problem,))
        problems = [Problem("missing", n, f"no gradient of {n} was returned") for n in form.leaves if n not in raw]
        readings = {n: read_leaf(form.leaves[n], value) for n, value in raw.items()}
        problems += [r for r in readings.values() if isinstance(r, Problem)]
        arrays = {n: r for n, r in readings.items() if not isinstance(r, Problem)}
        return Claim(
            self.adapter.real_claim(form, arrays), tuple(problems), {n: str(a.dtype) for n, a in arrays.items()}
        )

    def _value(self, point: Point, layout: Layout) -> Array:
        with subject_code():
            return self.adapter.value(self.adapter.call(point, layout))


class _Readable:
    """The same adapter with results that `observe` can compare: arrays of numpy, sharing the memory of the originals."""

    def __init__(self, adapter: FunctionAdapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def gradient(self, call: Call, cotangent: Array) -> Mapping[str, Any]:
        return {n: _comparable(a) for n, a in self._adapter.gradient(call, cotangent).items()}


def _comparable(value: Any) -> Array:
    """Its numbers; a copy where the library (jax) allows no writing: memory that nobody can write to is shared safely."""
    array = to_numpy(value)
    return array if isinstance(value, np.ndarray) or array.flags.writeable else np.array(array)


def read_leaf(leaf: Leaf, value: Any) -> Array | Problem:
    """One gradient as an array of numbers in the leaf's shape, or what is wrong with it."""
    n = leaf.path
    if value is None:
        return Problem("type", n, f"the gradient of {n} must be an array; got NoneType: None")
    try:
        array = np.asarray(to_numpy(value))
    except Exception as error:
        return Problem("type", n, f"the gradient of {n} is no array of numbers: {error!s:.200}")
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind == "c" and not leaf.complex:
        return Problem("type", n, f"the gradient of {n} is complex; the argument is real: return the real part")
    if array.dtype.kind not in "fciub":
        return Problem("type", n, f"the gradient of {n} must be numbers; got {type(value).__name__}: {value!r:.60}")
    if array.shape != leaf.shape:
        return Problem("shape", n, shape_message(n, array.shape, leaf.shape))
    if array.dtype.kind in "iub" and array.size:
        msg = (
            f"the gradient of {n} has dtype {array.dtype}; expected floating-point numbers: integers lose the fraction"
        )
        return Problem("dtype", n, msg)
    return array
