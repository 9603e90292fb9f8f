"""The calls of a whole network's functions as text, for the stand-alone script of a finding.

What is handed on from one call to the next is found by identity, on a small network.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from gradcheck.networks import Case
from gradcheck.subjects.gradient_reading import Reader
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.model_calls import Samples, Targets, loss_in
from gradcheck.subjects.model_plans import Part, Plan
from gradcheck.subjects.parameter_structures import Structure
from gradcheck.subjects.protocol import Call
from gradcheck.subjects.script_text import definitions, expressions, helpers, listed, place_of


class Functions(Protocol):
    """What a script needs to know of the adapter."""

    plan: Plan
    structure: Structure
    samples: Samples
    targets: Targets
    reader: Reader
    globals_of: Mapping[str, str]
    counted: tuple[str, ...]

    def call(self, point: Any, layout: Layout) -> Call:
        """The arguments of one evaluation."""
        ...

    def values_of(self, call: Call) -> dict[str, Any]:
        """Everything that a function may ask for, the forward pass being run."""
        ...

    def run(self, part: Part, values: Mapping[str, Any]) -> Any:
        """One of the functions."""
        ...


def function_script(f: Functions, case: Case, layout: Layout) -> str | None:
    """The definitions of gradient(…) and of cost(…) or output(…); None where a part of them has no text."""
    takes = f.plan.takes
    if "parameters" in takes and not f.structure.script:
        return None
    call = f.call(case, layout)
    values = f.values_of(call)
    words = expressions(f.samples, f.targets)
    if f.structure.text == "W, b":
        words |= {"weights": "W[0]", "biases": "b[0]"}
    setup = [f"p = {f.structure.script}"] if "parameters" in takes else []
    setup += [f"subject.{n} = {words['samples']}" for n in f.counted]
    setup += [f"subject.{own} = {words[n]}" for n, own in f.globals_of.items()]
    if f.plan.forward is not None:
        r = values["forward result"]
        setup.append(f"r = {_called(f.plan.forward, words)}")
        words |= {k: place for k in ("AL", "cache") if (place := place_of(values.get(k), r, "r")) is not None}
        words |= {f"={n}": f"r[{k}]" for k, n in enumerate(f.plan.forward.returned) if n}
    result = f.run(f.plan.gradient, values)
    f.reader.learn(result, case, layout)
    texts = f.reader.texts(result, case, layout, "g")
    if not texts:
        return None
    gradient = [*setup, f"g = {_called(f.plan.gradient, words)}", listed(list(texts), texts)]
    parts = [helpers(f.samples, f.targets) + definitions("gradient", gradient, f.samples)]
    if f.plan.cost is not None:
        value = f.run(f.plan.cost, values)
        loss = place_of(loss_in(value, f.plan.cost.returned), value, "v")
        cost = [*setup, f"v = {_called(f.plan.cost, words)}", f"return {loss}"]
        return None if loss is None else "\n".join([*parts, definitions("cost", cost, f.samples)])
    if not f.plan.gives_output or f.samples != "batch":
        return None
    return "\n".join([*parts, definitions("output", [*setup, f"return {words['AL']}"], "batch", "subject, W, b, x")])


def _called(part: Part, words: Mapping[str, str]) -> str:
    return part.binding.text(f"subject.{part.name}", words)
