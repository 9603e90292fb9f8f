"""Find the functions or the class of a file that works on one vector of parameters, and make them callable by meaning.

The values that can be handed over: theta, X, y, the sizes (input, hidden, labels; sizes, hiddens as lists) and l2. It
must not know how theta is unrolled.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradcheck.errors import SubjectError
from gradcheck.subjects.binding import Binding, bind, meaning_of, signature_text
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.match import own_classes, own_functions
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.source import returned_values

Values = Mapping[str, Any]
SYNONYMS = {
    "theta": ("theta", "params", "nn_params", "parameters", "weights_flat", "thetas", "flat", "theta_vec", "theta_flat",
              "initial_nn_params", "nn_parameters", "param", "all_theta", "rolled_theta", "unrolled", "param_vec"),
    "X": ("X", "x", "X_train", "inputs", "data"),
    "y": ("y", "Y", "targets", "labels", "y_onehot", "y_train", "target", "ys"),
    "input": ("input_layer_size", "input_size", "visible_size", "n_in", "n_input", "n_inputs", "num_inputs", "input_dim"),
    "hidden": ("hidden_layer_size", "hidden_size", "n_hidden", "num_hidden", "hidden_dim", "hidden_units"),
    "labels": ("num_labels", "output_size", "num_classes", "n_out", "n_output", "n_outputs", "output_dim",
               "output_layer_size", "n_classes", "K", "n_labels"),
    "hiddens": ("hidden_layer_sizes", "hidden_sizes", "hidden_dims"),
    "sizes": ("layer_sizes", "sizes", "layers", "layer_dims", "dims", "architecture", "topology", "layers_sizes"),
    "l2": ("lambda_", "lambd", "learning_rate", "reg", "lam", "l2", "lmbda", "lamb", "reg_lambda", "regularization"),
}  # fmt: skip
SCRIPT = """\
def cost(subject, theta, x, y):
    return {cost}

def gradient(subject, theta, x, y):
    return [np.ravel({gradient})]
"""
EXPRESSIONS = {
    "theta": "theta", "X": "x", "y": "y", "input": "SIZES[0]", "hidden": "SIZES[1]", "labels": "SIZES[-1]",
    "hiddens": "SIZES[1:-1]", "sizes": "SIZES", "l2": "L2",
}  # fmt: skip
COST = r"(^|_)(cost|loss|objective|error|j)(_|$|function|\d)"
GRADIENT = r"(grad|prime|backprop|backward|deriv)"
GET, SET = ("get_params", "get_parameters", "get_theta"), ("set_params", "set_parameters", "set_theta")
COST_METHODS = ("cost_function", "cost", "loss", "compute_cost", "loss_function", "compute_loss")
GRADIENT_METHODS = ("compute_gradients", "compute_gradient", "gradient", "gradients", "get_gradients", "grad")


@dataclass(frozen=True, slots=True)
class FlatCalls:
    """A cost and a gradient by meaning of their values.

    takes: the values they ask for. functions: where their source can be read. outputs: as in `Offer`. found: names.
    script: the calls as text, as in `Offer.scripts`; empty for a class.
    """

    cost: Callable[[Values], Any]
    gradient: Callable[[Values], Any]
    takes: frozenset[str]
    functions: tuple[Any, ...]
    found: tuple[str, ...]
    outputs: tuple[int, int | None] = (1, None)
    script: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What was found: exactly one `calls`, or several candidates, or near misses with what they lack."""

    calls: FlatCalls | None = None
    candidates: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=("a function f(theta, …sizes…, X, y) that returns (J, grad)",))


def search(members: Mapping[str, Any]) -> Search:
    """A class with parameters in and out, else one function that returns both, else a cost and a gradient."""
    objects = _objects(members)
    if len(objects) > 1:
        return Search(candidates=tuple(objects), found=tuple(objects))
    if objects:
        return Search(next(iter(objects.values())))
    return _functions(members)


def _functions(members: Mapping[str, Any]) -> Search:
    bindings = {n: bind(f, SYNONYMS) for n, f in own_functions(members).items()}
    near = {n: b for n, b in bindings.items() if {"theta", "X"} <= b.takes}
    fits = {n: b for n, b in near.items() if not _lacks(b)}
    both = {n: b for n, b in fits.items() if returned_values(b.function) == 2 or len(fits) == 1}
    if len(both) == 1:
        return Search(_together(*next(iter(both.items()))))
    if both:
        return Search(candidates=tuple(both), found=tuple(both))
    gradients = {n: b for n, b in fits.items() if re.search(GRADIENT, n, re.IGNORECASE)}
    costs = {n: b for n, b in fits.items() if n not in gradients and re.search(COST, _snake(n))}
    if len(costs) == 1 and len(gradients) == 1:
        return Search(_apart(next(iter(costs.items())), next(iter(gradients.items()))))
    lines = [f"{signature_text(n, b.function)}: {_lacks(b)}" for n, b in near.items() if n not in fits]
    lines += [f"the gradient that belongs to {n}" for n in costs if not gradients]
    return Search(found=tuple(near), missing=tuple(lines) or Search().missing, candidates=_several(costs, gradients))


def _several(costs: Mapping[str, Any], gradients: Mapping[str, Any]) -> tuple[str, ...]:
    return (*costs, *gradients) if costs and gradients else ()


def _lacks(binding: Binding) -> str:
    if binding.missing:
        return f"cannot tell what to hand over as {', '.join(binding.missing)}"
    if not {"X", "y"} <= binding.takes:
        return "it takes no X and y"
    return "" if binding.takes & {"sizes", "hidden", "hiddens"} else "it takes no layer sizes"


def _together(name: str, binding: Binding) -> FlatCalls:
    call = binding.text(f"subject.{name}", EXPRESSIONS)
    return FlatCalls(
        lambda v: _part(binding(v), 0),
        lambda v: _part(binding(v), 1),
        binding.takes,
        (binding.function,),
        (name,),
        script=SCRIPT.format(cost=f"{call}[0]", gradient=f"{call}[1]"),
    )


def _apart(cost: tuple[str, Binding], gradient: tuple[str, Binding]) -> FlatCalls:
    bindings = (cost[1], gradient[1])
    takes = frozenset[str]().union(*(b.takes for b in bindings))
    calls = {k: b.text(f"subject.{n}", EXPRESSIONS) for k, (n, b) in (("cost", cost), ("gradient", gradient))}
    functions = tuple(b.function for b in bindings)
    return FlatCalls(*bindings, takes, functions, (cost[0], gradient[0]), script=SCRIPT.format(**calls))


def _part(result: Any, index: int) -> Any:
    if isinstance(result, (tuple, list)) and len(result) == 2:
        return result[index]
    count = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
    msg = f"expected the pair (cost, gradient); got {type(result).__name__}{count}"
    raise Malformed("count" if count else "type", "gradients", msg)


def _objects(members: Mapping[str, Any]) -> dict[str, FlatCalls]:
    found = {n: _object_calls(n, c) for n, c in own_classes(members).items()}
    return {n: calls for n, calls in found.items() if calls is not None}


def _object_calls(name: str, cls: type) -> FlatCalls | None:
    """A class with setParams, a cost (X, y) and its gradients (X, y); None where it lacks one."""
    setter, cost, gradient = (_method(cls, names) for names in (SET, COST_METHODS, GRADIENT_METHODS))
    constructor = bind(cls, SYNONYMS)
    if not (setter and cost and gradient and _method(cls, GET)) or constructor.missing:
        return None

    def call(method: str, values: Values) -> Any:
        network = make(cls, constructor, values)
        getattr(network, setter)(values["theta"])
        return bind(getattr(network, method), SYNONYMS)(values)

    takes = constructor.takes | _attributes(cls, constructor)
    methods = tuple(f for _, f in inspect.getmembers(cls, inspect.isfunction))
    if not takes & {"sizes", "hidden", "hiddens"}:
        return None
    return FlatCalls(
        lambda v: call(cost, v), lambda v: call(gradient, v), takes, methods, (name,), _outputs(cls, constructor)
    )


def make(cls: type, constructor: Binding, values: Values) -> Any:
    """A new object of the case's sizes: through its constructor, or by setting the attributes that hold them."""
    network = constructor(values)
    for attribute in list(vars(network)):
        meaning = meaning_of(attribute, SYNONYMS)
        if meaning in {"input", "hidden", "labels"} - constructor.takes:
            setattr(network, attribute, values[meaning])
    return network


def _attributes(cls: type, constructor: Binding) -> frozenset[str]:
    """The sizes that the object holds as attributes."""
    meanings = {meaning_of(a, SYNONYMS) for a in _fixed_attributes(cls, constructor)}
    return frozenset(m for m in meanings if m in ("input", "hidden", "labels"))


def _outputs(cls: type, constructor: Binding) -> tuple[int, int | None]:
    """The one number of outputs that a class without size arguments was written for; else no limit."""
    fixed = _fixed_attributes(cls, constructor)
    sizes = [value for a, value in fixed.items() if meaning_of(a, SYNONYMS) == "labels" and isinstance(value, int)]
    return (sizes[0], sizes[0]) if sizes and not constructor.takes & {"labels", "sizes"} else (1, None)


def _fixed_attributes(cls: type, constructor: Binding) -> dict[str, Any]:
    """Attributes right after construction with small sizes; none where that fails."""
    trial = {"input": 3, "hidden": 2, "labels": 1, "sizes": [3, 2, 1], "hiddens": [2], "l2": 0.0}
    try:
        with subject_code():
            return dict(vars(constructor(trial)))
    except SubjectError:  # then nothing is known of its attributes
        return {}


def _method(cls: type, names: tuple[str, ...]) -> str | None:
    """The class's method of one of these names, in camelCase or snake_case."""
    wanted = [n.replace("_", "") for n in names]
    methods = {n.replace("_", "").lower(): n for n, _ in inspect.getmembers(cls, inspect.isfunction) if n[0] != "_"}
    return next((methods[w] for w in wanted if w in methods), None)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
