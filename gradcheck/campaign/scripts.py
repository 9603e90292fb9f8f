"""The stand-alone script of a finding: numpy alone, the smallest case, the subject's own call, central differences.

Each convention states its call as text (`Offer.scripts`); here the case is put around it. There is no script, and the
finding says None, where the convention states no call, where the file must be rewritten to load, in float32 (central
differences see too little there), where the finding is about something else than values, where the difference is too
small for central differences, and where the case does not fit into `LINES` lines.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.networks import Case, OperationCase, case_from_json
from gradcheck.networks.forward import cost
from gradcheck.numerics import Array
from gradcheck.report import Code, Finding
from gradcheck.subjects import Layout, Offer
from gradcheck.subjects.flat_theta import unroll
from gradcheck.subjects.layout import operation_to_subject, parameters_to_subject, samples_to_subject

LINES = 64
VISIBLE = 1e-6
"""What counts as a difference, relative to 1 + |cost|: a thousand times the rounding of differences in float64."""
VALUES = frozenset(
    {Code.GC302, Code.GC303, Code.GC304, Code.GC305, Code.GC401, Code.GC402, Code.GC403, Code.GC404, Code.GC405, Code.GC501}
)  # fmt: skip
COSTS: Mapping[str, str] = {
    "mse": "np.sum((a - y) ** 2)",
    "mae": "np.sum(np.abs(a - y))",
    "bce": "-np.sum(y * np.log(a{e}) + (1 - y) * np.log(1 - a{e}))",
    "cross_entropy": "-np.sum(y * np.log(a{e}))",
}
_BY_NAME = frozenset({"nielsen", "flat_theta", "model_object", "training"})
"""Conventions whose PATH:OBJECT is a member of the file, so that the call stays the same."""
FRAME = '''\
"""{title}. Needs numpy and the file, not gradcheck.
python THIS_SCRIPT [FILE]: exit 1 while the difference is there, 0 once it is mended. pytest THIS_SCRIPT: a regression test.
"""
import copy, importlib.util, os, sys
import numpy as np

sys.dont_write_bytecode, PATH = True, {path!r}
{data}
TOLERANCE = {tolerance:.1e}  # far above the rounding of central differences

{call}
def load(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location("subject", path)
    sys.modules["subject"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

def differences(path):
    subject, wrong, h = load(path), [], 1e-6
    at = lambda f: f(subject, **copy.deepcopy(ARRAYS))
    for name, p, claim in zip(NAMES, TENSORS, at(gradient), strict=True):
        expected, claim = np.zeros(p.shape), np.reshape(np.asarray(claim, dtype=float), p.shape)
        for i in np.ndindex(p.shape):
            p[i], kept = p[i] + h, p[i]
            up, p[i] = float(np.squeeze(at(cost))), kept - h
            expected[i], p[i] = (up - float(np.squeeze(at(cost)))) / (2 * h), kept
        i = np.unravel_index(np.argmax(np.abs(claim - expected)), p.shape)
        row = claim[i], expected[i], claim[i] - expected[i]
        print(name, [*map(int, i)], "claimed %.9g, expected %.9g, difference %.3g" % row)
        wrong += [name] * (not abs(row[2]) <= TOLERANCE)
    return wrong

def test_gradient_agrees_with_central_differences():
    assert not differences(PATH)

if __name__ == "__main__":
    sys.exit(bool(differences(sys.argv[1] if len(sys.argv) > 1 else PATH)))
'''


def with_script(
    finding: Finding, path: str, object_name: str | None, offer: Offer, layouts: Mapping[str, Layout]
) -> Finding:
    """The finding with its script's text, where one can be written; layouts: by operation, "" for a network."""
    rewritten = any(_of_loading(note) for note in offer.notes) or not path.endswith(".py")
    named = object_name is not None and not (offer.convention in _BY_NAME and object_name.isidentifier())
    if finding.counterexample is None or rewritten or named or finding.code not in VALUES or not offer.scripts:
        return finding
    data = {k: v for k, v in finding.counterexample.items() if k != "digest"}
    if _foreign(data):
        return finding
    point = case_from_json(data)
    key = point.operation if isinstance(point, OperationCase) else ""
    depth = point.architecture.depth if isinstance(point, Case) else 0
    call = offer.scripts.get(key) or offer.scripts.get(f"depth {depth}")
    if call is None or key not in layouts or point.dtype != "float64":
        return finding
    text = _text(finding, path, point, call, layouts[key])
    return finding if text is None or text.count("\n") > LINES else replace(finding, script_text=text)


def _of_loading(note: str) -> bool:
    """Whether a note says that the file did not load as it is."""
    return any(word in note for word in ("rewritten", "skipped", "stopped after", "not installed"))


def _foreign(data: Mapping[str, Any]) -> bool:
    """Whether the case uses definitions of the user's own, which a name does not hand over."""
    architecture = data.get("architecture", {})
    return any("source" in part for part in (*architecture.get("layers", ()), architecture.get("cost", {})))


def _text(finding: Finding, path: str, point: Case | OperationCase, call: str, layout: Layout) -> str | None:
    value = cost(point) if isinstance(point, Case) else 1.0 + float(np.abs(point.cotangent).sum())
    arguments = {"x"} if isinstance(point, Case) else set()
    found = [abs(d.claimed - d.expected) for d in finding.discrepancies if d.parameter not in arguments]
    largest = max((d for d in found if np.isfinite(d)), default=0.0)
    tolerance = VISIBLE * (1 + abs(value))
    if not largest > 10 * tolerance:
        return None
    if "def cost(" not in call:
        own = _cost_of_output(point)
        if own is None:
            return None
        call = f"{call}\n{own}"
    data = _data(point, call, layout)
    return FRAME.format(title=_title(finding), path=path, data=data, call=call, tolerance=tolerance)


def _title(finding: Finding) -> str:
    layers = sorted({p.layer for p in finding.places if p.layer})
    where = f" in layer {', '.join(map(str, layers))}" if layers else ""
    return f"{finding.code.name} {finding.title or finding.code.title}{where}"


def _cost_of_output(point: Case | OperationCase) -> str | None:
    """The recognised cost of the subject's own output, for subjects that declare none."""
    if not isinstance(point, Case) or point.architecture.cost.name not in COSTS:
        return None
    network = point.architecture
    guard = f" + {network.cost.guard!r}" if network.cost.guard else ""
    total = f"{network.cost_scale(point.samples)!r} * {COSTS[network.cost.name].format(e=guard)}"
    decay = network.regularisation.factor(point.samples)
    if decay:
        if network.regularisation.biases:
            return None
        total += f" + {decay!r} * sum(np.sum(w**2) for w in W)"
    body = f"    a = output(subject, W, b, x)\n    return {total.replace('* -np', '* -1 * np')}\n"
    return f"def cost(subject, W, b, x, y):\n{body}"


def _data(point: Case | OperationCase, call: str, layout: Layout) -> str:
    """Assignments of everything that the call uses."""
    arrays = _arrays(point, "theta" in call, layout)
    lines = [f"{name} = {_literal(value)}" for name, value in arrays.items()]
    if isinstance(point, Case):
        constants = {
            "ACTIVATIONS": list(point.architecture.activation_names),
            "COST": point.architecture.cost.name,
            "L2": point.architecture.regularisation.strength,
            "SIZES": list(point.architecture.widths),
            "SAMPLES": point.samples,
            "ROWS": layout.samples == "rows",
        }
        used = {name: value for name, value in constants.items() if name in call}
        lines += [f"{', '.join(used)} = {', '.join(map(repr, used.values()))}"] if used else []
    lines.append(f"ARRAYS = dict({', '.join(f'{n}={n}' for n in arrays)})")
    tensors = [n for n in arrays if n not in ("dout", "y") and not (n == "x" and isinstance(point, Case))]
    names = [f"{n}{k}" for n in tensors for k in range(1, len(arrays[n]) + 1)] if "W" in arrays else tensors
    joined = "W + b" if "W" in arrays else f"[{', '.join(tensors)}]"
    return "\n".join([*lines, f"NAMES, TENSORS = {names!r}, {joined}"])


def _arrays(point: Case | OperationCase, flat: bool, layout: Layout) -> dict[str, Any]:
    """The arrays in the subject's layout, by the names that the call uses."""
    if isinstance(point, OperationCase):
        arrays = {n: operation_to_subject(n, a, layout, "float64") for n, a in point.arguments.items()}
        return {**arrays, "dout": samples_to_subject(point.cotangent, layout, "float64")}
    weights, biases = parameters_to_subject(point, layout)
    x, y = (samples_to_subject(a, layout, "float64") for a in (point.inputs, point.targets))
    if flat:
        return {"theta": unroll(weights, biases, layout), "x": x, "y": y}
    return {"W": weights, "b": biases or [], "x": x, "y": y}


def _literal(value: Array | list[Array]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_literal(a) for a in value)}]"
    return f"np.array({value.tolist()!r})"
