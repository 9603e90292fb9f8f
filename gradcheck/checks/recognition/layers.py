"""What a layer object could be: assignments of its arguments to the trusted definitions, from names and shapes alone.

Inputs of an object are called x, h, c (or x, y); what else it has are its parameters under names of its own. Each proposal is
to be tried: the object's output decides. It must not run anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

from gradcheck.checks.recognition import cells
from gradcheck.networks.activations import PARAMETRIC, PLAIN
from gradcheck.networks.layers.assignment import ADDED, Assignment, Move, Role
from gradcheck.networks.layers.normalisation import EPSILONS
from gradcheck.networks.layers.simple import COST_SCALES

Shape = tuple[int, ...]
INPUTS = ("x", "h", "c", "y")
GUARDS = (1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-6, 1e-5, 1e-15)
"""What is customarily added inside a logarithm."""
_BIAS = re.compile(r"(?i)(^|_)b(\d|_|$|[a-z]?$)|bias|beta|shift|offset")


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation: its name, its arguments' shapes, its output's, numbers that its object or source holds, and constants.

    constants: how the arguments that are not differentiated are drawn, by name.
    """

    name: str
    shapes: Mapping[str, Shape]
    output: Shape
    numbers: Sequence[float] = ()
    constants: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Shape]:
        """Arguments that are no inputs."""
        return {n: s for n, s in self.shapes.items() if n not in INPUTS and n not in self.constants}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Differentiated inputs, in the order in which they are handed over."""
        return tuple(n for n in self.shapes if n in INPUTS and n not in self.constants)


def proposals(asked: Asked, said: str | None = None) -> Iterator[Assignment]:
    """Every assignment that the shapes admit; those whose layer is called like the object first."""
    plain = re.sub(r"[^a-z0-9]", "", asked.name.lower())
    ordered = sorted(_PROPOSERS, key=lambda n: not any(w in plain for w in _WORDS.get(n, (n,))))
    for name in ordered:
        for assignment in _PROPOSERS[name](asked):
            if said in (None, assignment.layer, assignment.settings.get("activation", "").partition("(")[0]):
                yield assignment


_WORDS: Mapping[str, tuple[str, ...]] = {
    "affine": ("affine", "linear", "dense", "fc", "fully"),
    "convolution": ("conv",),
    "pooling": ("pool",),
    "batch": ("batch", "bn"),
    "rows": ("layernorm", "rms", "ln"),
    "activation": tuple(n.replace("_", "") for n in PLAIN),
    "recurrent": ("rnn", "lstm", "gru", "cell"),
    "attention": ("attention", "mha", "head"),
    "embedding": ("embed",),
    "cost": ("loss", "entropy", "hinge", "svm"),
}


def _affine(asked: Asked) -> Iterator[Assignment]:
    """One matrix; a vector of biases or an array that is added."""
    x = asked.shapes.get("x", ())
    for w, b in _matrix_and_bias(asked, 2):
        ways: list[tuple[tuple[Move, ...], tuple[int, ...]]] = [((), ()), ((("flat",),), ())]
        ways += [((("axes", 1, 0),), (1, 0))] if len(x) == 2 else [((("one",),), ())] if len(x) == 1 else []
        for (moves, output), turn in product(ways, ((), (("axes", 1, 0),))):
            roles = (Role("x", "x", moves), Role(w, "w", turn))
            for bias in _bias(asked, b):
                yield Assignment("affine", {}, (*roles, *bias), output)


def _bias(asked: Asked, b: str | None) -> Iterator[tuple[Role, ...]]:
    if b is None:
        yield ()
    else:
        yield (Role(b, "b", (("vector",),)),)
        yield (Role(b, ADDED),)


def _matrix_and_bias(asked: Asked, axes: int) -> Iterator[tuple[str, str | None]]:
    """The argument with so many axes that is the matrix, and the other one, where there are no more."""
    p = asked.parameters
    if asked.inputs != ("x",) or not 1 <= len(p) <= 2:
        return
    for w, s in p.items():
        rest = [n for n in p if n != w]
        if len(s) == axes and not (rest and _BIAS.search(w)):
            yield w, rest[0] if rest else None


_KERNELS_4: Sequence[tuple[Move, ...]] = (
    (), (("axes", 3, 2, 0, 1),), (("axes", 0, 3, 1, 2),), (("axes", 1, 0, 2, 3),), (("axes", 2, 3, 0, 1),),
    (("flip",),), (("axes", 1, 0, 2, 3), ("flip",)), (("axes", 3, 2, 0, 1), ("flip",)),
)  # fmt: skip


def _convolution(asked: Asked) -> Iterator[Assignment]:
    """Every stride, padding, dilation and number of groups that gives the output's shape, in every usual order of axes."""
    x, out = asked.shapes.get("x", ()), asked.output
    for w, b in _matrix_and_bias(asked, 4):
        kernel = asked.shapes[w]
        for to_batch, order, back in _images(len(x)):
            image, result = _turned(x, to_batch, order), _turned(out, to_batch, order)
            for moves in _KERNELS_4:
                f, c, *k = _turned(kernel, (), tuple(int(n) for m in moves if m[0] == "axes" for n in m[1:]))
                groups = image[1] // c if c and image[1] % c == 0 else 0
                if not groups or f % groups or result[1] != f or result[0] != image[0]:
                    continue
                for stride, pad, dilation in product((1, 2, 3), (0, 1, 2, 3), (1, 2)):
                    ends = [
                        (i + 2 * pad - dilation * (n - 1) - 1) // stride + 1 for i, n in zip(image[2:], k, strict=True)
                    ]
                    if ends != list(result[2:]):
                        continue
                    settings = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
                    roles = (Role("x", "x", (*to_batch, *order)), Role(w, "w", moves))
                    for bias in _bias(asked, b):
                        yield Assignment("conv2d", settings, (*roles, *bias), back)
    yield from _convolution_1d(asked)


def _convolution_1d(asked: Asked) -> Iterator[Assignment]:
    x = asked.shapes.get("x", ())
    for w, b in _matrix_and_bias(asked, 3):
        for (order, back), moves in product(
            (((), ()), ((("axes", 0, 2, 1),), (0, 2, 1))),
            ((), (("axes", 2, 1, 0),), (("axes", 1, 0, 2),), (("axes", 0, 2, 1),)),
        ):
            if len(x) == 3:
                for stride, pad, bias in product((1, 2, 3), (0, 1, 2), _bias(asked, b)):
                    roles = (Role("x", "x", order), Role(w, "w", moves), *bias)
                    yield Assignment("conv1d", {"stride": stride, "pad": pad}, roles, back)


_Order = tuple[tuple[Move, ...], tuple[Move, ...], tuple[int, ...]]


def _images(axes: int) -> Iterator[_Order]:
    """Ways to read an image batch of so many axes as (n, c, h, w): moves to a batch, moves of axes, axes back."""
    if axes == 4:
        yield (), (), ()
        yield (), (("axes", 0, 3, 1, 2),), (0, 2, 3, 1)
    elif axes == 3:
        yield (("one",),), (), ()
        yield (("one",),), (("axes", 0, 3, 1, 2),), (0, 2, 3, 1)
        yield (("step",),), (), ()
    elif axes == 2:
        yield (("one",), ("one",)), (), ()


def _turned(shape: Shape, to_batch: Sequence[Move], order: Sequence[Move] | Shape) -> Shape:
    """A shape after its moves; all ones where it has not the axes for them."""
    for move in to_batch:
        shape = (1, *shape) if move[0] == "one" else (*shape[:1], 1, *shape[1:])
    axes = tuple(int(k) for m in order for k in (m[1:] if isinstance(m, tuple) else (m,)))
    if axes and len(axes) == len(shape):
        shape = tuple(shape[k] for k in axes)
    return shape if len(shape) == 4 else (*shape, *(0,) * 4)[:4]


def _pooling(asked: Asked) -> Iterator[Assignment]:
    """Every size and stride that give the output's shape."""
    x, out = asked.shapes.get("x", ()), asked.output
    if asked.parameters or asked.inputs != ("x",):
        return
    for to_batch, order, back in _images(len(x)):
        image, result = _turned(x, to_batch, order), _turned(out, to_batch, order)
        roles = (Role("x", "x", (*to_batch, *order)),)
        for size, stride, layer in product((2, 3, 1, 4), (1, 2, 3, 4), ("max_pool", "average_pool")):
            if [(k - size) // stride + 1 for k in image[2:]] == list(result[2:]) and image[:2] == result[:2]:
                yield Assignment(layer, {"size": size, "stride": stride}, roles, back)
        if len(x) == 4:
            yield Assignment("global_average", {}, roles)


def _scale_and_shift(asked: Asked) -> Iterator[tuple[Role, ...]]:
    """One parameter is γ; of two the one that is called like a bias is β."""
    names = list(asked.parameters)
    if len(names) not in (1, 2) or asked.inputs != ("x",):
        return
    for order in permutations(names):
        if len(order) == 1 or not _BIAS.search(order[0]):
            yield tuple(Role(n, a, (("vector",),)) for n, a in zip(order, ("gamma", "beta"), strict=False))


def _batch(asked: Asked) -> Iterator[Assignment]:
    """Over samples in rows, in columns, flattened, or by channel."""
    x = asked.shapes.get("x", ())
    ways: list[tuple[str, tuple[Move, ...], tuple[int, ...]]] = []
    if len(x) == 2:
        ways = [("batchnorm", (), ()), ("batchnorm", (("axes", 1, 0),), (1, 0))]
    elif len(x) == 4:
        ways = [("batchnorm_4d", o, back) for _, o, back in _images(4)] + [("batchnorm", (("flat",),), ())]
    for (layer, moves, back), parameters, eps in product(ways, _scale_and_shift(asked), _epsilons(asked)):
        if len(parameters) == 2:
            yield Assignment(layer, {"eps": eps}, (Role("x", "x", moves), *parameters), back)


def _rows(asked: Asked) -> Iterator[Assignment]:
    """Layer norm and RMS norm, over the last axis or the first of two."""
    x = asked.shapes.get("x", ())
    ways: list[tuple[tuple[Move, ...], tuple[int, ...]]] = [((), ())]
    ways += [((("axes", 1, 0),), (1, 0))] if len(x) == 2 else []
    for (moves, back), parameters, eps in product(ways, _scale_and_shift(asked), _epsilons(asked)):
        layer = "layernorm" if len(parameters) == 2 else "rmsnorm"
        yield Assignment(layer, {"eps": eps}, (Role("x", "x", moves), *parameters), back)


def _epsilons(asked: Asked) -> list[float]:
    return list(dict.fromkeys([*(n for n in asked.numbers if 0 < n < 0.1), *EPSILONS]))


def _activation(asked: Asked) -> Iterator[Assignment]:
    """Elementwise, or softmax over one axis or another."""
    x = asked.shapes.get("x", ())
    if asked.parameters or asked.inputs != ("x",) or x != asked.output:
        return
    slopes = [n for n in dict.fromkeys([*asked.numbers, 0.01, 0.1, 0.2, 1.0]) if 0 < abs(n) <= 10 and n != 1.0]
    names = [n for n in PLAIN if n != "softmax"]
    names += [f"{n}({v!r})" for n in PARAMETRIC for v in ([*slopes, 1.0] if n == "elu" else slopes)]
    for name in names:
        yield Assignment("activation", {"activation": name}, (Role("x", "x"),))
    yield Assignment("softmax", {}, (Role("x", "x"),))
    if len(x) == 2:
        yield Assignment("softmax", {}, (Role("x", "x", (("axes", 1, 0),)),), (1, 0))
    yield Assignment("l2_normalise", {}, (Role("x", "x"),))


def _reshape(asked: Asked) -> Iterator[Assignment]:
    """The same numbers, in this order or with axes exchanged."""
    x, size = asked.shapes.get("x", ()), 1
    for k in x:
        size *= k
    for k in asked.output:
        size = size // k if k and size % k == 0 else 0
    if asked.parameters or asked.inputs != ("x",) or size != 1:
        return
    for axes in permutations(range(len(x))):
        yield Assignment("reshape", {}, (Role("x", "x", (("axes", *axes),) if axes != tuple(range(len(x))) else ()),))


def _two(asked: Asked) -> Iterator[Assignment]:
    """Product and sum."""
    if asked.inputs == ("x", "y") and not asked.parameters:
        for layer in ("product", "sum"):
            yield Assignment(layer, {}, (Role("x", "x"), Role("y", "y")))


def _embedding(asked: Asked) -> Iterator[Assignment]:
    """Rows of one matrix."""
    if not asked.inputs and len(asked.parameters) == 1 and list(asked.constants.values())[:1] == ["integers"]:
        w, index = next(iter(asked.parameters)), next(iter(asked.constants))
        yield Assignment("embedding", {}, (Role(w, "w"),), constants={index: "indices"})


def _cost(asked: Asked) -> Iterator[Assignment]:
    """Softmax cross-entropy and hinge, from classes or one-hot rows."""
    if asked.inputs != ("x",) or asked.parameters or asked.output or len(asked.constants) != 1:
        return
    target, how = next(iter(asked.constants.items()))
    classes = asked.shapes["x"][-1] if asked.shapes["x"] else 0
    settings: dict[str, Any] = {}
    if how in ("one_hot", "classes"):
        settings = {"classes": classes} if how == "classes" else {}
        flat: tuple[Move, ...] = (("last",),) if len(asked.shapes["x"]) > 2 else ()
        roles, constants = (Role("x", "x", flat),), {target: "targets"}
        yield Assignment("softmax_cross_entropy", settings, roles, constants=constants)
        for guard in dict.fromkeys([*(n for n in asked.numbers if 0 < n < 1e-3), *GUARDS]):
            yield Assignment("guarded_cross_entropy", {**settings, "guard": guard}, roles, constants=constants)
    yield from _costs_of_values(asked, how, {**settings}, {target: "targets"})
    if how == "classes" and len(asked.shapes["x"]) == 2:
        yield Assignment("hinge", {}, (Role("x", "x"),), constants={target: "targets"})


def _costs_of_values(
    asked: Asked, how: str, settings: Mapping[str, Any], constants: Mapping[str, str]
) -> Iterator[Assignment]:
    """Squares and logarithms of the values themselves, at every customary scale."""
    guards = [0.0, *dict.fromkeys([*(n for n in asked.numbers if 0 < n < 1e-3), *GUARDS])]
    for kind in ("squares", "logarithm", "binary"):
        for guard, scale in product(guards if kind != "squares" else [0.0], COST_SCALES):
            told = {**settings, "cost": kind, "scale": scale, "guard": guard}
            yield Assignment("cost", told, (Role("x", "x"),), constants=constants)


def _attention(asked: Asked) -> Iterator[Assignment]:
    """Multi-head self-attention of one sequence or a batch; every number of heads that divides the width."""
    x, squares = asked.shapes.get("x", ()), [n for n, s in asked.parameters.items() if len(s) == 2 and s[0] == s[1]]
    if asked.inputs != ("x",) or len(asked.parameters) != 4 or len(squares) != 4 or len(x) not in (2, 3):
        return
    named = {w: next((n for n in squares if re.search(rf"(?i){w[1]}($|_|\d|\.)", n)), None) for w in _WEIGHTS}
    if None in named.values() or len(set(named.values())) != 4:
        return
    one: tuple[Move, ...] = (("one",),) if len(x) == 2 else ()
    for heads, turn in product((n for n in (1, 2, 4, 3) if x[-1] % n == 0), ((), (("axes", 1, 0),))):
        weights = tuple(Role(str(n), w, turn) for w, n in named.items())
        yield Assignment("multi_head_attention", {"heads": heads}, (Role("x", "x", one), *weights))


_WEIGHTS = ("wq", "wk", "wv", "wo")


def _recurrent(asked: Asked) -> Iterator[Assignment]:
    return cells.proposals(asked.shapes, asked.inputs, asked.parameters, asked.output)


_PROPOSERS: Mapping[str, Callable[[Asked], Iterator[Assignment]]] = {
    "affine": _affine,
    "activation": _activation,
    "reshape": _reshape,
    "convolution": _convolution,
    "pooling": _pooling,
    "batch": _batch,
    "rows": _rows,
    "embedding": _embedding,
    "cost": _cost,
    "product": _two,
    "attention": _attention,
    "recurrent": _recurrent,
}
