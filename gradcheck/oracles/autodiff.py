"""The `jax.grad` oracle: the derivative of the trusted definition, in float64. The only module that imports jax.

C     the trusted cost, composed of opaque activations f_l and an opaque cost
T_L   template: jax's trace of `value_and_grad` of an L-layer network, transcribed to numpy once per depth
f*    trace of one activation's vjp with symbolic sizes (units, samples), transcribed once per definition

jax does every differentiation; numpy carries the result out, so that a new architecture costs no compilation. A share of
the cases is audited against compiled `jax.grad` (`compiled_gradient`).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.networks import Activation, Architecture, Case, Cost
from gradcheck.numerics import Array, Arrays
from gradcheck.oracles.clarke import Interval, Kinks
from gradcheck.oracles.fingerprint import fingerprint
from gradcheck.oracles.store import rules
from gradcheck.oracles.transcription import transcribe, write

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@cache
def _jax() -> Any:
    """jax with x64 for this process: imported late because the import alone costs 0.4 s and 170 MB."""
    import jax

    config: Any = jax.config
    config.update("jax_enable_x64", True)
    return jax


class _JaxNamespace:
    """jax.numpy with `erf`: the same `xp` that numpy's definitions run on."""

    def __getattr__(self, name: str) -> Any:
        if name == "stop_gradient":
            return _jax().lax.stop_gradient
        return _jax().scipy.special.erf if name == "erf" else getattr(_jax().numpy, name)


xp_jax = _JaxNamespace()


@dataclass(frozen=True, slots=True)
class Rule:
    """A transcription as a function of arrays; `bare` leaves numpy's warnings to a caller who has silenced them already."""

    bare: Callable[..., Any]

    def __call__(self, *arguments: Array) -> Array:
        with np.errstate(all="ignore"):
            result: Array = self.bare(*arguments)
        return result


@lru_cache(maxsize=512)
def activation_vjp(activation: Activation) -> Rule:
    """(z, cotangent of a) -> cotangent of z, arrays (units, samples)."""

    def vjp(z: Any, ct: Any) -> Any:
        return _jax().vjp(lambda t: activation(t, xp_jax), z)[1](ct)[0]

    return _rule(vjp, ("n, m", "n, m"), "activation_vjp", activation.function)


@lru_cache(maxsize=512)
def activation_slopes(activation: Activation) -> Rule:
    """z -> (f′(z), f″(z)) of an elementwise activation, in one sweep: cheaper than each by itself."""

    def slopes(z: Any) -> Any:
        jax, one = _jax(), _jax().numpy.ones_like
        return jax.jvp(lambda t: jax.vjp(lambda s: activation(s, xp_jax), t)[1](one(t))[0], (z,), (one(z),))

    return _rule(slopes, ("n, m",), "activation_slopes", activation.function, several=True)


@lru_cache(maxsize=512)
def activation_second(activation: Activation) -> Rule:
    """z -> f″(z) of an elementwise activation."""

    def second(z: Any) -> Any:
        jax, one = _jax(), _jax().numpy.ones_like
        return jax.vjp(lambda t: jax.vjp(lambda s: activation(s, xp_jax), t)[1](one(t))[0], z)[1](one(z))[0]

    return _rule(second, ("n, m",), "activation_second", activation.function)


@lru_cache(maxsize=512)
def cost_vjp(cost: Cost) -> Rule:
    """(a, y, cotangent of the summed cost) -> its gradient with respect to a, (units, samples)."""

    def vjp(a: Any, y: Any, ct: Any) -> Any:
        return _jax().vjp(lambda t: cost(t, y, xp_jax), a)[1](ct)[0]

    return _rule(vjp, ("n, m", "n, m", ""), "cost_vjp", cost.function)


@lru_cache(maxsize=512)
def cost_hvp(cost: Cost) -> Rule:
    """(a, y, v) -> Hessian of the summed cost in a, applied to v; all (units, samples)."""

    def hvp(a: Any, y: Any, v: Any) -> Any:
        jax = _jax()
        return jax.jvp(jax.grad(lambda t: cost(t, y, xp_jax)), (a,), (v,))[1]

    return _rule(hvp, ("n, m", "n, m", "n, m"), "cost_hvp", cost.function)


def value_and_gradient(
    case: Case, *, by_input: bool = False, kinks: Kinks | None = None
) -> tuple[float, dict[str, Array]]:
    """Cost and gradient of the trusted definition at a case, by jax's rules; `by_input` adds the gradient by x.

    kinks: where the slopes are not jax's, but the centres of these intervals.
    """
    architecture = case.architecture
    activations = [layer.activation for layer in architecture.layers]
    m = case.samples
    data = [float(architecture.cost_scale(m)), float(architecture.regularisation.factor(m))]
    values = [case.parameters[name] for name in architecture.shapes()]
    template = _template(architecture.depth, architecture.bias, _penalised(case))
    slopes: list[Callable[..., Any]] = [activation_vjp(f).bare for f in activations]
    by_output = cost_vjp(architecture.cost).bare
    if kinks:
        slopes = [_centred(vjp, kinks.layers.get(l)) for l, vjp in enumerate(slopes, start=1)]
        by_output = _centred(by_output, kinks.cost)
    with np.errstate(all="ignore"):
        value, *gradients = template(
            [_numpy_activation(f).bare for f in activations],
            slopes,
            _numpy_cost(architecture.cost).bare,
            by_output,
            np.asarray(data[0]),
            np.asarray(data[1]),
            case.inputs,
            case.targets,
            *values,
        )
    names = [*architecture.shapes(), *(["x"] if by_input else [])]
    return float(value), {name: np.asarray(g) for name, g in zip(names, gradients, strict=False)}


def _centred(vjp: Callable[..., Array], kinks: Interval | None) -> Callable[..., Array]:
    """The pullback with the centre of the interval for its slope at kinks; its last argument is the cotangent."""
    if kinks is None:
        return vjp
    return lambda *arguments: np.where(kinks.at, kinks.centre * arguments[-1], vjp(*arguments))


def compiled_gradient(case: Case, *, by_input: bool = False) -> tuple[float, dict[str, Array]]:
    """The same by plain compiled `jax.grad`: the audit. Costs a compilation for every new architecture."""
    jax = _jax()
    architecture = case.architecture
    arguments = {**{n: case.parameters[n] for n in architecture.shapes()}, **({"x": case.inputs} if by_input else {})}

    def C(p: Mapping[str, Any]) -> Any:
        return _trusted_cost(architecture, p, p.get("x", case.inputs), case.targets)

    value, gradient = jax.jit(jax.value_and_grad(C))(arguments)
    return float(value), {name: np.asarray(gradient[name]) for name in arguments}


def function_vjp(function: Callable[..., Any], arguments: Arrays, cotangent: Array) -> tuple[Array, dict[str, Array]]:
    """Value and cotangents of a user's JAX reference `function(**arguments)`, by compiled jax.vjp."""
    jax = _jax()

    def run(arguments: Mapping[str, Any], ct: Any) -> Any:
        value, pullback = jax.vjp(lambda a: function(**a), arguments)
        return value, pullback(ct)[0]

    value, gradient = jax.jit(run)(dict(arguments), cotangent)
    return np.asarray(value), {name: np.asarray(g) for name, g in gradient.items()}


def vjp_equations(define: Callable[..., Any], arguments: Arrays, cotangent: Array) -> Any:
    """The jaxpr of (arguments, cotangent) -> (output, cotangents of the arguments in their order) of `define(p, xp)`."""

    def run(arguments: Mapping[str, Any], ct: Any) -> Any:
        value, pullback = _jax().vjp(lambda p: define(p, xp_jax), arguments)
        gradient = pullback(ct)[0]
        return value, [gradient[n] for n in arguments]

    names = list(arguments)
    return _jax().make_jaxpr(lambda values, ct: run(dict(zip(names, values, strict=True)), ct))(
        [arguments[n] for n in names], cotangent
    )


def activation_value_and_vjp(activation: Activation, x: Array, cotangent: Array) -> tuple[Array, Array]:
    """Output and input cotangent of one activation used as an operation."""
    with np.errstate(all="ignore"):
        return _numpy_activation(activation)(x), np.asarray(activation_vjp(activation)(x, cotangent))


def _trusted_cost(architecture: Architecture, p: Mapping[str, Any], x: Any, y: Any) -> Any:
    """C = scale · cost(a_L, y) + L2, in jax.numpy."""
    jnp = _jax().numpy
    a, m = x, x.shape[1]
    for l, layer in enumerate(architecture.layers, start=1):
        z = p[f"W{l}"] @ a + (p[f"b{l}"] if architecture.bias else 0.0)
        a = layer.activation(z, xp_jax)
    penalised = [n for n in p if n[0] == "W" or (n[0] == "b" and architecture.regularisation.biases)]
    decay = architecture.regularisation.factor(m) * sum(jnp.sum(p[n] ** 2) for n in penalised)
    return architecture.cost_scale(m) * architecture.cost(a, y, xp_jax) + decay


@lru_cache(maxsize=512)
def _numpy_activation(activation: Activation) -> Rule:
    return _rule(lambda z: activation(z, xp_jax), ("n, m",), "activation", activation.function)


@lru_cache(maxsize=512)
def _numpy_cost(cost: Cost) -> Rule:
    return _rule(lambda a, y: cost(a, y, xp_jax), ("n, m", "n, m"), "cost", cost.function)


def _rule(
    function: Callable[..., Any],
    shapes: Sequence[str],
    name: str,
    definition: Callable[..., Any],
    several: bool = False,
) -> Rule:
    """Trace with symbolic sizes and transcribe; what cannot be traced or transcribed runs as compiled jax.

    definition: what the function is made of; an earlier transcription of the same content is taken from the store. several:
    whether it has more than one result.
    """
    key = _digest(definition)
    many = rules.recall(key, name)
    if many is None:
        jax = _jax()
        try:
            many = rules.keep(key, name, write(jax.make_jaxpr(function)(*_abstract(shapes)), name))
        except (
            Exception
        ):  # symbolic sizes that cannot be compared, a primitive without transcription: jax says in many ways
            return Rule(_compiled(jax.jit(function), name))
    return Rule(many if several else lambda *arguments: np.asarray(many(*arguments)[0]))


def _compiled(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Compiled jax; what it cannot run either is a definition that is not written in jax.numpy."""

    def run(*arguments: Array) -> Any:
        try:
            result = function(*arguments)
            return tuple(map(np.asarray, result)) if isinstance(result, tuple) else np.asarray(result)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else ""
            msg = (
                f"this definition cannot be run by jax ({name}: {type(error).__name__}: {reason}); an activation or a cost "
                "of your own must be written in jax.numpy, or against the array namespace it gets as `xp`"
            )
            raise UsageError(msg) from error

    return run


@lru_cache(maxsize=1024)
def _digest(definition: Callable[..., Any]) -> str | None:
    return fingerprint(definition)


def rules_of(case: Case) -> list[str]:
    """Keys of the transcriptions that carry out value and gradient at a case.

    A definition without a fingerprint has a key of this process alone, so that it is audited in every run.
    """
    a = case.architecture
    keys = {f"depth-{_template_key(a.depth, a.bias, _penalised(case))}", *_keys_of("cost", a.cost.function)}
    return sorted(keys.union(*(_keys_of("activation", d.activation.function) for d in a.layers)))


@lru_cache(maxsize=1024)
def _keys_of(name: str, function: Callable[..., Any]) -> tuple[str, str]:
    digest = _digest(function) or f"of this process {id(function)}"
    return f"{name}-{digest}", f"{name}_vjp-{digest}"


def _penalised(case: Case) -> str:
    """Which parameters the L2 term holds: none where λ = 0, so that nothing as large as they are is computed for it."""
    r = case.architecture.regularisation
    if not r.factor(case.samples):
        return ""
    return "all" if r.biases else "weights"


def _template_key(depth: int, bias: bool, penalised: str) -> str:
    return f"{depth}{'b' if bias else ''}{penalised[:1]}"


def _abstract(shapes: Sequence[str]) -> list[Any]:
    """Abstract float64 arrays whose sizes are symbols, equal symbols meaning equal sizes."""
    jax = _jax()
    from jax import export

    scope = export.SymbolicScope()
    return [
        jax.ShapeDtypeStruct(export.symbolic_shape(shape, scope=scope) if shape else (), np.float64) for shape in shapes
    ]


@cache
def _opaque() -> Callable[..., Any]:
    """bind(target, k, out, *arrays): an equation that the transcription turns into a call of `target[k]`.

    `out` is the position of the argument whose shape the result has, or None for a scalar.
    """
    from jax.extend.core import Primitive

    jax = _jax()
    primitive: Any = Primitive("opaque")

    def abstract(*avals: Any, target: str, k: int | None, out: int | None) -> Any:
        return jax.core.ShapedArray(avals[out].shape if out is not None else (), np.dtype(np.float64))

    primitive.def_abstract_eval(abstract)
    return lambda target, k, out, *arrays: primitive.bind(*arrays, target=target, k=k, out=out)


@cache
def _template(depth: int, bias: bool, penalised: str) -> Callable[..., Any]:
    """T_L: (A, V, C, G, scale, decay, x, y, W1, b1, …) -> (value, gradients of W1, b1, …, x)."""
    key = _template_key(depth, bias, penalised)
    return rules.recall(key, "depth") or rules.keep(key, "depth", _traced_template(depth, bias, penalised))


def _traced_template(depth: int, bias: bool, penalised: str) -> tuple[str, list[Any]]:
    """The template as source, traced by jax."""
    jax, opaque = _jax(), _opaque()

    def activation(k: int) -> Callable[[Any], Any]:
        f = jax.custom_vjp(lambda z: opaque("A", k, 0, z))
        f.defvjp(lambda z: (opaque("A", k, 0, z), z), lambda z, ct: (opaque("V", k, 0, z, ct),))
        return f  # type: ignore[no-any-return]

    cost = jax.custom_vjp(lambda a, y: opaque("C", None, None, a, y))
    cost.defvjp(
        lambda a, y: (opaque("C", None, None, a, y), (a, y)),
        lambda ay, ct: (opaque("G", None, 0, *ay, ct), jax.numpy.zeros_like(ay[1])),
    )

    def C(arguments: Sequence[Any], x: Any, scale: Any, decay: Any, y: Any) -> Any:
        step = 2 if bias else 1
        a = x
        for k in range(depth):
            z = jax.lax.dot(arguments[step * k], a)
            a = activation(k)(z + arguments[step * k + 1] if bias else z)
        data = scale * cost(a, y)
        if not penalised:
            return data
        return data + decay * sum(
            jax.numpy.sum(p * p) for p in (arguments if penalised == "all" else arguments[::step])
        )

    def run(scale: Any, decay: Any, x: Any, y: Any, *arguments: Any) -> Any:
        value, (by_parameters, by_input) = jax.value_and_grad(C, argnums=(0, 1))(arguments, x, scale, decay, y)
        return value, *by_parameters, by_input

    widths = [f"n{l}" for l in range(depth + 1)]
    shapes = ["", "", f"{widths[0]}, m", f"{widths[-1]}, m"]
    for before, after in pairwise(widths):
        shapes += [f"{after}, {before}", f"{after}, 1"] if bias else [f"{after}, {before}"]
    closed = jax.make_jaxpr(run)(*_abstract(shapes))
    return write(closed, "depth", opaque=("A", "V", "C", "G"))


@cache
def _affine_vjp() -> Callable[..., Any]:
    """(x, w, b, ct) -> (dx, dw, db) of w x + b, by jax's rules."""

    def run(x: Any, w: Any, b: Any, ct: Any) -> Any:
        return _jax().vjp(lambda *a: _jax().lax.dot(a[1], a[0]) + a[2], x, w, b)[1](ct)

    return transcribe(_jax().make_jaxpr(run)(*_abstract(("n, m", "k, n", "k, 1", "k, m"))), "affine_vjp")


def affine_vjp(x: Array, w: Array, b: Array, cotangent: Array) -> dict[str, Array]:
    """Cotangents of x (from, m), w (to, from) and b (to, 1) for the affine layer w x + b."""
    return dict(zip(("x", "w", "b"), map(np.asarray, _affine_vjp()(x, w, b, cotangent)), strict=True))
