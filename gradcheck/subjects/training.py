"""Convention `training`: a class whose training method applies gradient descent and exposes no gradient.

    net = NeuralNetwork()            # sizes fixed in the file, or handed over
    net.train(X, y, 1)               # gradient = (weights before - weights after) / learning rate
    a = net.think(X)

The rate is an argument of the method, an attribute of the object, or one where the file names none; two rates must agree. It
declares no cost: the one that its output layer's gradient belongs to is recognised, up to its scale.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gradcheck.errors import SubjectError
from gradcheck.subjects import training_class
from gradcheck.subjects.binding import bind
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.loop_words import MEANING, OF_CONSTRUCTOR
from gradcheck.subjects.match import Match, own_classes
from gradcheck.subjects.model_calls import LAYOUTS
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.training_class import Training

NAME = training_class.NAME
TEMPLATE = '''\
import numpy as np

class NeuralNetwork:
    def __init__(self):
        self.weights = np.ones((3, 1))

    def think(self, X):
        """-> outputs, one row a sample."""
        return 1 / (1 + np.exp(-X @ self.weights))

    def train(self, X, y, iterations):
        """Plain gradient descent; may take a learning rate."""
        for _ in range(iterations):
            a = self.think(X)
            self.weights += X.T @ ((y - a) * a * (1 - a))
'''
CALL = "net.train(X, y, 1); gradient = (weights before - weights after) / learning rate"
TRAIN = ("train", "fit", "learn", "train_step", "backprop", "backpropagation", "back_propagation", "gradient_descent")
OUTPUT = (
    "think",
    "predict",
    "forward",
    "feedforward",
    "feed_forward",
    "query",
    "output",
    "predict_proba",
    "forward_pass",
)


def match(members: Mapping[str, Any], name: str) -> Match:
    """Recognised by a class with a training method of known arguments, at best beside one that gives the output."""
    adapters: dict[str, Training] = {}
    missing: list[str] = []
    for n, c in own_classes(members).items():
        train, *_ = [*(m for m in TRAIN if callable(getattr(c, m, None))), None]
        outputs = tuple(m for m in OUTPUT if callable(getattr(c, m, None)))
        if not train:
            continue
        if lacks := _lacks(c, train):
            missing.append(f"{n}: {lacks}")
            continue
        try:
            adapters[n] = _tried(c, train, outputs, name)
        except (SubjectError, Malformed) as error:
            missing.append(f"{n}: {error.problem.message if isinstance(error, Malformed) else error.message}")
    if len(adapters) == 1:
        return Match(NAME, next(iter(adapters.values())), found=tuple(adapters))
    lines = tuple(missing) or ("a class with train(X, y, iterations) and think(X)",)
    return Match(NAME, None, lines, tuple(adapters) or tuple(line.partition(":")[0] for line in missing))


def _tried(cls: type, train: str, outputs: tuple[str, ...], name: str) -> Training:
    """The adapter in the layouts in which a step moves every parameter. Raises what kept it from that in the likeliest one."""
    failures: list[SubjectError | Malformed] = []
    with subject_code():
        candidates = list(_sized(cls, train, name))
    for adapter in candidates:
        good = [layout for layout in LAYOUTS if adapter.runs(layout, failures)]
        if good:
            adapter.layouts = tuple(good)
            with subject_code():
                adapter.learn(good[0], outputs)
            return adapter
    if not failures:
        raise SubjectError("contract", "it holds no weights before it is trained")
    raise min(failures, key=lambda e: "it holds no array" in str(e) or "is no parameter of" in str(e))


def _sized(cls: type, train: str, name: str) -> Iterator[Training]:
    takes = bind(cls, OF_CONSTRUCTOR).takes
    depths = (2, 1, 3) if takes & {"sizes", "hiddens"} else (2, 1) if takes & {"input", "hidden"} else (2,)
    for depth in depths:
        adapter = Training(cls, train, name, depth)
        if adapter.fit_sizes():
            yield adapter
        if adapter.widths is not None:
            return


def _lacks(cls: type, train: str) -> str:
    """What keeps its update from being read, in words; empty where nothing does."""
    method, constructor = bind(getattr(cls, train), MEANING), bind(cls, OF_CONSTRUCTOR)
    if not {"X", "y"} <= method.takes or method.missing:
        return f"cannot tell what to hand over to {train} as {', '.join(method.missing) or 'X and y'}"
    if constructor.missing:
        return f"cannot tell what to hand over to its constructor as {', '.join(constructor.missing)}"
    return ""
