"""A subject in a limited child process, with the same face as one in this process."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.isolation import wire
from gradcheck.isolation.worker import Worker
from gradcheck.networks import Case, Point
from gradcheck.numerics import Array
from gradcheck.subjects import Claim, Effect, Layout, Offer, Pullback

T = TypeVar("T")


class RemoteSubject:
    """`Subject` over a started worker whose handler is `gradcheck.isolation.handler`.

    Nothing the child says is believed beyond its form: numbers are claims, and shapes are checked again here.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._announced: tuple[Point, Sequence[Point]] | None = None
        self._foreseen: tuple[Sequence[Point], list[Array]] | None = None
        self._offer = self._read(lambda: wire.unpack_offer(worker.request("offer", None)))

    @property
    def offer(self) -> Offer:
        """What the subject can be asked."""
        return self._offer

    def announce(self, point: Point, points: Sequence[Point]) -> None:
        """Say that `forward` will be asked for these points when `vjp` has been at `point`: one request answers both."""
        self._announced = point, points

    def forward(self, points: Sequence[Point], layout: Layout) -> list[Array]:
        """Primal values, in one request where the points are one case at different arguments; in none where announced."""
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and _same_points(foreseen[0], points):
            return foreseen[1]
        if not points:
            return []
        batches = [points] if wire.same_family(points) else [[p] for p in points]
        return [v for batch in batches for v in self._values(batch, layout)]

    def _values(self, batch: Sequence[Point], layout: Layout) -> list[Array]:
        return self._as_many(self._ask("forward", batch, layout), batch)

    def _then(self, point: Point) -> Sequence[Point]:
        announced, self._announced, self._foreseen = self._announced, None, None
        if announced is None or announced[0] is not point or not wire.same_family([point, *announced[1]]):
            return ()
        return announced[1]

    def _as_many(self, answer: Any, batch: Sequence[Point]) -> list[Array]:
        values = self._read(lambda: [_float_array(v) for v in answer])
        if len(values) != len(batch):
            msg = f"the child's answer has {len(values)} values for {len(batch)} points"
            raise SubjectError("protocol", msg)
        return values

    def output(self, case: Case, layout: Layout) -> Array:
        """The output activations (n_L, m)."""
        return self._read(lambda: _float_array(self._ask("output", [case], layout), case.targets.shape))

    def cost_derivative(self, case: Case, a: Array, y: Array, layout: Layout) -> Array:
        """The file's own ∂C/∂a (n_L, m)."""
        return self._read(lambda: _float_array(self._ask("cost_derivative", [case], layout, a=a, y=y), a.shape))

    def vjp(self, point: Point, layout: Layout) -> tuple[Array | None, Pullback]:
        """Value and claim come in one request; the pullback asks again only for another cotangent."""
        first = point.cotangent
        then = self._then(point)
        answer = self._ask("vjp", [point, *then], layout, cotangents=[first])
        values = answer.get("then") if then else None
        if values is not None:
            self._foreseen = then, self._as_many(values, then)
        claim = self._read(lambda: wire.unpack_claim(answer["claims"][0], point))
        value = self._read(lambda: None if answer["value"] is None else _float_array(answer["value"]))

        def pullback(cotangent: Array) -> Claim:
            if cotangent is first or np.array_equal(cotangent, first):
                return claim
            again = self._ask("vjp", [point], layout, cotangents=[cotangent])
            return self._read(lambda: wire.unpack_claim(again["claims"][0], point))

        return value, pullback

    def effects(self, point: Point, other: Point, layout: Layout) -> list[Effect]:
        """What was observed in the child."""
        answer = self._ask("effects", [point], layout, other=wire.pack_points([other]))
        return self._read(lambda: wire.unpack_effects(answer))

    def trace(self, point: Point, layout: Layout) -> dict[str, Any]:
        """The child's record of its lines, as it is: whoever reads it checks its form."""
        answer: dict[str, Any] = self._ask("trace", [point], layout)
        return answer

    def _ask(self, op: str, points: Sequence[Point], layout: Layout, **more: Any) -> Any:
        payload = {"layout": wire.pack_layout(layout), "points": wire.pack_points(points), **more}
        limits = {"calls": 2} if op == "vjp" and len(points) > 1 else {}
        return self._worker.request(op, payload, **limits)

    @staticmethod
    def _read(read: Callable[[], T]) -> T:
        """Run a reader of the child's answer; whatever does not have the promised form is a broken protocol."""
        try:
            return read()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            msg = f"the child's answer has not the promised form ({type(error).__name__}: {error!s:.100})"
            raise SubjectError("protocol", msg) from error


def _same_points(ours: Sequence[Point], asked: Sequence[Point]) -> bool:
    return len(ours) == len(asked) and all(p is q for p, q in zip(ours, asked, strict=True))


def _float_array(value: Any, shape: tuple[int, ...] | None = None) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or (shape is not None and array.shape != shape):
        msg = f"expected real numbers of shape {shape}, got dtype {array.dtype} and shape {array.shape}"
        raise ValueError(msg)
    return array.astype(np.float64)
