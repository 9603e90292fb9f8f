"""Classes that only train: right ones pass at their own sizes, wrong ones fail at the right layer, optimisers are refused."""

import pytest

from gradcheck import verify

FIXED = """
import numpy as np
class NeuralNetwork:
    def __init__(self):
        np.random.seed(1)
        self.synaptic_weights = 2 * np.random.random((3, 1)) - 1
    def think(self, inputs):
        return 1 / (1 + np.exp(-np.dot(inputs, self.synaptic_weights)))
    def train(self, training_set_inputs, training_set_outputs, number_of_training_iterations):
        for iteration in xrange(number_of_training_iterations):
            output = self.think(training_set_inputs)
            error = training_set_outputs - output
            self.synaptic_weights += np.dot(training_set_inputs.T, error * output * (1 - output))
"""
SIZED = """
import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
class Network:
    def __init__(self, input_size, hidden_size, output_size, learning_rate=0.5):
        self.W1 = np.random.randn(input_size, hidden_size)
        self.b1 = np.zeros((1, hidden_size))
        self.W2 = np.random.randn(hidden_size, output_size)
        self.b2 = np.zeros((1, output_size))
        self.lr = learning_rate
    def forward(self, X):
        self.a1 = np.tanh(X @ self.W1 + self.b1)
        return sigmoid(self.a1 @ self.W2 + self.b2)
    def train(self, X, y, epochs):
        for _ in range(epochs):
            a = self.forward(X)
            d2 = (a - y) / len(X)
            d1 = d2 @ self.W2.T * (1 - self.a1 ** 2)
            self.W2 -= self.lr * self.a1.T @ d2
            self.b2 -= self.lr * d2.sum(axis=0, keepdims=True)
            self.W1 -= self.lr * X.T @ d1
            self.b1 -= self.lr * d1.sum(axis=0, keepdims=True)
"""
LATE = SIZED.replace("            d1 = d2 @ self.W2.T * (1 - self.a1 ** 2)\n", "").replace(
    "            self.W1 -=", "            d1 = d2 @ self.W2.T * (1 - self.a1 ** 2)\n            self.W1 -="
)


def report_of(tmp_path, source):
    """The report of a file with this source."""
    path = tmp_path / "network.py"
    path.write_text(source)
    return verify(str(path), in_process=True, max_examples=25)


@pytest.mark.parametrize(("source", "cost"), [(FIXED, "mse · 1/2"), (SIZED, "bce · 1/m")])
def test_a_right_network_passes(tmp_path, source, cost):
    """At the sizes of the file, or at random ones; the cost is recognised from the update."""
    report = report_of(tmp_path, source)
    assert (report.verdict, report.subject.convention) == ("pass", "training")
    assert cost in {c.value for c in report.conventions}
    assert report.tally.cases >= 10


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (SIZED.replace("(1 - self.a1 ** 2)", "(1 + self.a1 ** 2)"), ("BP2", 1)),
        (SIZED.replace("self.b1 -= self.lr * d1.sum", "self.b1 -= self.lr * d1.mean"), ("BP3", 1)),
        (LATE, ("BP2", 1)),
    ],
)
def test_a_wrong_network_fails_at_its_place(tmp_path, source, place):
    """A wrong derivative, a mean for a sum, and weights updated before the recursion uses them."""
    report = report_of(tmp_path, source)
    assert report.verdict == "fail"
    assert (report.findings[0].places[0].equation, report.findings[0].places[0].layer) == place


def test_an_update_of_no_known_cost_is_left_open(tmp_path):
    """A wrong output error and an unknown cost look alike: no verdict."""
    report = report_of(tmp_path, SIZED.replace("d2 = (a - y)", "d2 = (a - y) ** 3 * a"))
    assert report.verdict == "inconclusive"
    assert report.findings[0].code.name == "GC953"


def test_a_mistake_below_an_unknown_cost_is_seen(tmp_path):
    """The update is then the gradient of nothing."""
    source = SIZED.replace("d2 = (a - y)", "d2 = (a - y) ** 3 * a").replace("(1 - self.a1 ** 2)", "(1 + self.a1)")
    report = report_of(tmp_path, source)
    assert (report.verdict, report.findings[0].code.name) == ("fail", "GC406")


def test_an_optimiser_is_refused(tmp_path):
    """Momentum shows at the second step, also where it begins anew in each call; no verdict on the gradient."""
    source = SIZED.replace("        for _ in range(epochs)", "        v = 0\n        for _ in range(epochs)").replace(
        "            self.W2 -= self.lr * self.a1.T @ d2",
        "            v = 0.9 * v + self.a1.T @ d2\n            self.W2 -= self.lr * v",
    )
    report = report_of(tmp_path, source)
    assert report.verdict in ("error", "inconclusive")
    assert "the update remembers" in report.findings[0].detail


def test_weights_in_float32_are_widened(tmp_path):
    """What was drawn is kept to the last digit."""
    source = FIXED.replace("2 * np.random.random((3, 1)) - 1", "np.ones((3, 1), dtype=np.float32)").replace(
        "+=", "= self.synaptic_weights +"
    )
    report = report_of(tmp_path, source)
    assert (report.verdict, report.tally.inconclusive) == ("pass", 0)


QUERY = """
import numpy as np
class neuralNetwork:
    def __init__(self, inputnodes, hiddennodes, outputnodes, learningrate):
        self.wih = np.random.normal(0.0, inputnodes ** -0.5, (hiddennodes, inputnodes))
        self.who = np.random.normal(0.0, hiddennodes ** -0.5, (outputnodes, hiddennodes))
        self.lr = learningrate
        self.activation_function = lambda x: 1 / (1 + np.exp(-x))
    def forward(self, inputs_list):
        hidden = self.activation_function(np.dot(self.wih, np.array(inputs_list, ndmin=2).T))
        return hidden, self.activation_function(np.dot(self.who, hidden))
    def train(self, inputs_list, targets_list):
        inputs, targets = np.array(inputs_list, ndmin=2).T, np.array(targets_list, ndmin=2).T
        hidden, final = self.forward(inputs_list)
        output_errors = (targets - final) * final * (1.0 - final)
        hidden_errors = np.dot(self.who.T, output_errors)
        self.who += self.lr * np.dot(output_errors, np.transpose(hidden))
        self.wih += self.lr * np.dot(hidden_errors * hidden * (1.0 - hidden), np.transpose(inputs))
    def query(self, inputs_list):
        return self.forward(inputs_list)[1]
"""
CLASSES = """
import numpy as np
class Net:
    def __init__(self, layers_dim):
        self.W = [np.random.randn(a, b) for a, b in zip(layers_dim, layers_dim[1:])]
        self.b = [np.zeros((1, b)) for b in layers_dim[1:]]
    def predict(self, X):
        for W, b in zip(self.W, self.b):
            X = np.tanh(X @ W + b)
        return np.argmax(X, axis=1)
    def train(self, X, y, num_passes=20000, eta=0.01):
        for _ in range(num_passes):
            for x, t in zip(X, y):
                self.learn_one(x.reshape(1, -1), t.reshape(1, -1), eta)
    def learn_one(self, x, t, eta):
        acts = [x]
        for W, b in zip(self.W, self.b):
            acts.append(np.tanh(acts[-1] @ W + b))
        delta = acts[-1] - t
        for k in reversed(range(len(self.W))):
            delta = delta * (1 - acts[k + 1] ** 2)
            below = delta @ self.W[k].T
            self.W[k] -= eta * acts[k].T @ delta
            self.b[k] -= eta * delta
            delta = below
"""


def test_samples_in_rows_and_outputs_in_columns(tmp_path):
    """A list of samples goes in, a column for each comes out."""
    report = report_of(tmp_path, QUERY)
    assert (report.verdict, report.subject.convention) == ("pass", "training")


def test_errors_that_go_down_without_their_derivative(tmp_path):
    """The hidden layer gets the error of the output before it was multiplied by σ′."""
    wrong = QUERY.replace("(targets - final) * final * (1.0 - final)", "targets - final").replace(
        "self.lr * np.dot(output_errors,", "self.lr * np.dot(output_errors * final * (1.0 - final),")  # fmt: skip
    report = report_of(tmp_path, wrong)
    assert report.verdict == "fail"
    assert (report.findings[0].places[0].equation, report.findings[0].places[0].layer) == ("BP2", 1)
    assert "bp2_error_before_prime" in str(report.to_json())


def test_a_class_that_shows_nothing_but_classes(tmp_path):
    """One sample after another, no outputs: recognised by its gradients alone."""
    report = report_of(tmp_path, CLASSES)
    assert report.verdict == "pass"
    values = {c.value for c in report.conventions}
    assert {"tanh", "mse · 1/2"} <= values
    assert any("recognised by its gradients alone" in n for n in report.notes)


def test_a_gradient_of_no_network_is_held_to_its_symmetry(tmp_path):
    """The neighbour goes down through weights that were updated before."""
    wrong = CLASSES.replace("            below = delta @ self.W[k].T\n", "")
    wrong = wrong.replace("delta = below", "delta = 2 * delta @ self.W[k].T")
    report = report_of(tmp_path, wrong)
    assert (report.verdict, report.findings[0].code.name) == ("fail", "GC406")


OPTIMISED = """
class Optimiser:
    def __init__(self, lr=0.1):
        self.lr, self.v, self.t = lr, {}, 0
    def update(self, params, grads):
        self.t += 1
        for k in params:
            STEP
class Model:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {"W1": np.random.randn(input_size, hidden_size), "b1": np.zeros(hidden_size)}
        self.params |= {"W2": np.random.randn(hidden_size, output_size), "b2": np.zeros(output_size)}
        self.optimizer = Optimiser()
    def predict(self, X):
        self.h = np.tanh(X @ self.params["W1"] + self.params["b1"])
        return self.h @ self.params["W2"] + self.params["b2"]
    def fit(self, X, y, epochs=100, batch_size=32):
        for _ in range(epochs):
            order = np.random.permutation(len(X))
            for k in range(0, len(X), batch_size):
                x, t = X[order[k:k + batch_size]], y[order[k:k + batch_size]]
                d = self.predict(x) - t
                e = d @ self.params["W2"].T * (1 - self.h ** 2)
                grads = {"W2": self.h.T @ d, "b2": d.sum(0), "W1": x.T @ e, "b1": e.sum(0)}
                self.optimizer.update(self.params, grads)
"""
PLAIN = "params[k] -= self.lr * grads[k]"
STEPS = {
    "momentum": ("self.v[k] = 0.9 * self.v.get(k, 0) + grads[k]; params[k] -= self.lr * self.v[k]", "remembers"),
    "adam": ("params[k] -= self.lr * grads[k] / (np.abs(grads[k]) + 1e-8)", "same amount"),
    "clipping": ("params[k] -= self.lr * np.clip(grads[k], -1e-3, 1e-3)", "clipped"),
    "norm": (
        "params[k] -= self.lr * grads[k] / max(1.0, sum(np.sum(g * g) for g in grads.values()) ** 0.5)",
        "normalised",
    ),
    "schedule": ("params[k] -= self.lr / self.t * grads[k]", "remembers"),
}


def optimised(step):
    """A network whose minibatches go through an optimiser object."""
    return "import numpy as np\n" + OPTIMISED.replace("STEP", step)


def test_an_optimiser_object_of_plain_descent_passes(tmp_path):
    """Its own rate is set, the batch taken whole; weight decay in it is a convention."""
    report = report_of(tmp_path, optimised(PLAIN))
    assert (report.verdict, report.subject.convention) == ("pass", "training")
    assert "mse · 1/2" in {c.value for c in report.conventions}
    decayed = report_of(tmp_path, optimised("params[k] -= self.lr * (grads[k] + 0.05 * params[k] * (k[0] == 'W'))"))
    assert decayed.verdict == "pass"
    assert "lambda/2, λ = 0.05 in the file" in {c.value for c in decayed.conventions}


@pytest.mark.parametrize(("step", "reason"), STEPS.values(), ids=STEPS)
def test_an_optimiser_object_is_refused_with_its_reason(tmp_path, step, reason):
    """No verdict on the gradient."""
    report = report_of(tmp_path, optimised(step))
    assert report.verdict in ("error", "inconclusive")
    assert reason in report.findings[0].detail
