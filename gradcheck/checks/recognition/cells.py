"""What a recurrent object could be: one step of a cell or a whole sequence, its matrices fused, one for each gate, or stacked.

d, h     widths of x and of the state; G gates (1 RNN, 3 GRU, 4 LSTM)
fused    wx (d, G h), wh (h, G h)
each     G matrices (d, h) and G of (h, h)
stacked  G matrices (d + h, h), x above h or h above x
All may be transposed. Which of G! orders the gates have is found by trying.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product

from gradcheck.networks.layers.assignment import Assignment, Move, Role
from gradcheck.networks.layers.recurrent import GATES

Shape = tuple[int, ...]
Turn = tuple[Move, ...]
_T: Turn = (("axes", 1, 0),)


def proposals(
    shapes: Mapping[str, Shape], inputs: Sequence[str], parameters: Mapping[str, Shape], output: Shape
) -> Iterator[Assignment]:
    """Assignments of cells (inputs x, h and c) and of sequences (x alone, from a state of zeros)."""
    if inputs not in (("x",), ("x", "h"), ("x", "h", "c")) or not parameters:
        return
    x = shapes["x"]
    for lead, settings, back in _ways(x, step=len(inputs) > 1):
        d = _last(x, lead)
        h = _last(shapes["h"], lead[:1] if lead and lead[0][0] in ("axes", "one") else ()) if "h" in shapes else 0
        for width in [h] if h else dict.fromkeys(s[-1] for s in (output,) if s):
            for layer in _layers(inputs):
                for roles, gates in _weights(
                    parameters, d, width, 1 if layer == "rnn" else len(GATES[layer[:4].strip("_")])
                ):
                    states = _states(inputs, layer, lead, width)
                    for more in _variants(layer, gates):
                        yield Assignment(layer, {**settings, **more}, (*states, *roles), back)


def _layers(inputs: Sequence[str]) -> tuple[str, ...]:
    return ("lstm_step",) if len(inputs) == 3 else ("rnn", "gru") if len(inputs) == 2 else ("rnn", "gru", "lstm")


def _variants(layer: str, gates: str) -> Iterator[dict[str, str]]:
    orders = (
        [gates]
        if gates
        else ["".join(p) for p in permutations(GATES[layer[:4].strip("_")])]
        if layer != "rnn"
        else [""]
    )
    for order in orders:
        told = {"gates": order} if order else {}
        if layer == "gru":
            for reset, update in product(("after", "before"), ("keep", "take")):
                yield {**told, **_unusual(reset=reset, update=update)}
        elif layer == "lstm_step":
            yield {**told, "first": "h"}
            yield {**told, "first": "c"}
        else:
            yield told


def _unusual(**settings: str) -> dict[str, str]:
    return {n: v for n, v in settings.items() if v not in ("after", "keep")}


def _ways(x: Shape, *, step: bool) -> Iterator[tuple[Turn, dict[str, bool], tuple[int, ...]]]:
    """Moves that bring x to (n, t, d), settings, and the axes of the output in the own order."""
    if step and len(x) == 2:
        yield (("step",),), {}, ()
        yield (*_T, ("step",)), {}, (2, 0, 1)
    elif step and len(x) == 1:
        yield (("one",), ("step",)), {}, ()
    elif not step and len(x) == 3:
        yield (), {}, ()
        yield (), {"time_major": True}, ()
        yield (("axes", 2, 0, 1),), {}, (1, 2, 0)  # (t, d, 1): columns, one sample
    elif not step and len(x) == 2:
        yield (("one",),), {}, ()


def _last(shape: Shape, lead: Turn) -> int:
    """The width of an input after its moves."""
    for name, *numbers in lead:
        if name == "axes" and len(numbers) == len(shape):
            shape = tuple(shape[k] for k in numbers)
    return shape[-1] if shape else 0


def _states(inputs: Sequence[str], layer: str, lead: Turn, width: int) -> tuple[Role, ...]:
    before = tuple(m for m in lead if m[0] != "step")
    if layer == "lstm_step":
        return (Role("x", "x", before), Role("h", "h0", before), Role("c", "c0", before))
    first = Role("h", "h0", before) if "h" in inputs else Role("x", "h0", (*lead, ("zeros", width)))
    return (Role("x", "x", lead), first)


def _weights(parameters: Mapping[str, Shape], d: int, h: int, count: int) -> Iterator[tuple[tuple[Role, ...], str]]:
    """Roles of the parameters, and the order of the gates where it is decided ("" where it is to be tried)."""
    matrices = {n: s for n, s in parameters.items() if len(s) == 2 and 1 not in s}
    vectors = {n: max(s) for n, s in parameters.items() if n not in matrices}
    if not h or any(s not in ((k,), (1, k), (k, 1)) for n, k in vectors.items() for s in (parameters[n],)):
        return
    yield from _fused(matrices, vectors, d, h, count)
    if count > 1:
        yield from _each(matrices, vectors, d, h, count)
        yield from _stacked(matrices, vectors, d, h, count)


def _fused(
    matrices: Mapping[str, Shape], vectors: Mapping[str, int], d: int, h: int, count: int
) -> Iterator[tuple[tuple[Role, ...], str]]:
    if len(matrices) == 1 and len(vectors) <= 1:  # [x, h] in one matrix
        (w, s), wide = next(iter(matrices.items())), count * h
        for turn in ((), _T):
            if (s if not turn else s[::-1]) == (d + h, wide) and set(vectors.values()) <= {wide}:
                for at in ((0, d, d, d + h), (h, d + h, 0, h)):
                    parts = (Role(w, "wx", (*turn, ("rows", *at[:2]))), Role(w, "wh", (*turn, ("rows", *at[2:]))))
                    yield (*parts, *_fused_bias(vectors, w, turn)), ""
    for wx, wh in permutations(matrices) if len(matrices) == 2 else ():
        for turn in ((), _T):
            first, second = (matrices[n] if not turn else matrices[n][::-1] for n in (wx, wh))
            if (first, second) == ((d, count * h), (h, count * h)) and set(vectors.values()) <= {count * h}:
                parts = (Role(wx, "wx", turn), Role(wh, "wh", turn))
                yield (*parts, *_fused_bias(vectors, wx, turn)), ""


def _each(
    matrices: Mapping[str, Shape], vectors: Mapping[str, int], d: int, h: int, count: int
) -> Iterator[tuple[tuple[Role, ...], str]]:
    if len(matrices) != 2 * count or len(vectors) not in (0, count, 2 * count) or set(vectors.values()) - {h}:
        return
    for turn in ((), _T):
        told = {n: s if not turn else s[::-1] for n, s in matrices.items()}
        xs, hs = ([n for n, s in told.items() if s == (k, h)] for k in (d, h))
        if d == h:
            xs, hs = list(told)[0::2], list(told)[1::2]
        if len(xs) == len(hs) == count:
            for order in _orders(count):
                yield (
                    _gated(zip(order, xs, strict=True), zip(order, hs, strict=True), vectors, order, turn),
                    _usual(count),
                )


def _stacked(
    matrices: Mapping[str, Shape], vectors: Mapping[str, int], d: int, h: int, count: int
) -> Iterator[tuple[tuple[Role, ...], str]]:
    if len(matrices) != count or len(vectors) not in (0, count) or set(vectors.values()) - {h}:
        return
    for turn, at, order in product(((), _T), ((0, d, d, d + h), (h, d + h, 0, h)), _orders(count)):
        if all((s if not turn else s[::-1]) == (d + h, h) for s in matrices.values()):
            roles = []
            for gate, w in zip(order, matrices, strict=True):
                roles.append(Role(w, "wx", (*turn, ("rows", *at[:2])), gate))
                roles.append(Role(w, "wh", (*turn, ("rows", *at[2:])), gate))
            yield (*roles, *_biases(vectors, order, next(iter(matrices)), turn)), _usual(count)


def _gated(
    xs: Iterator[tuple[str, str]], hs: Iterator[tuple[str, str]], vectors: Mapping[str, int], order: str, turn: Turn
) -> tuple[Role, ...]:
    of_x = tuple(Role(w, "wx", turn, gate) for gate, w in xs)
    of_h = tuple(Role(w, "wh", turn, gate) for gate, w in hs)
    return (*of_x, *of_h, *_biases(vectors, order, of_x[0].own, turn))


def _biases(vectors: Mapping[str, int], order: str, w: str, turn: Turn) -> tuple[Role, ...]:
    if not vectors:
        return (_no_bias(w, turn),) if len(order) == 1 else tuple(_no_bias(w, turn, gate) for gate in order)
    return tuple(Role(n, "b", (("vector",),), order[k % len(order)]) for k, n in enumerate(vectors))


def _fused_bias(vectors: Mapping[str, int], w: str, turn: Turn) -> tuple[Role, ...]:
    return tuple(Role(n, "b", (("vector",),)) for n in vectors) or (_no_bias(w, turn),)


def _no_bias(w: str, turn: Turn, gate: str = "") -> Role:
    """A bias of zeros, as wide as a matrix."""
    return Role(w, "b", (*turn, ("nothing",)), gate)


def _orders(count: int) -> list[str]:
    return ["".join(p) for p in permutations(_usual(count))]


def _usual(count: int) -> str:
    return "ifog" if count == 4 else "rzn" if count == 3 else ""
