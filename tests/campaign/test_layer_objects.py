"""Layer objects against the trusted definitions: what is recognised, what is found, and what is never blamed."""

import pytest

from gradcheck import verify
from tests.campaign import object_layers as written


def report_of(tmp_path, source, **options):
    """The report of a file with these classes."""
    path = tmp_path / "layers.py"
    path.write_text(written.HEAD + source)
    return verify(str(path), in_process=True, **{"max_examples": 10, **options})


def recognised(report):
    """What each class was recognised as."""
    return [note.partition("recognised as ")[2] for note in report.notes if "recognised as" in note]


@pytest.mark.parametrize(
    ("source", "layers"),
    [
        (written.DENSE, ["affine"]),
        (written.COLUMNS, ["affine"]),
        (written.CONV, ["conv2d, stride = 1, pad = 0", "conv2d, stride = 2, pad = 1"]),
        (written.POOL, ["max_pool, size = 3, stride = 2", "max_pool, size = 3, stride = 1"]),
        (written.FLATTEN + written.RELU, ["reshape", "relu"]),
        (written.BATCHNORM, ["batchnorm_4d, eps = 0.0002"]),
        (written.DROPOUT, ["masked"]),
        (written.EMBEDDING, ["embedding"]),
        (written.SOFTMAX_LOSS, ["guarded_cross_entropy, guard = 1e-07"]),
        (written.KEPT, ["affine", "cost, cost = logarithm, scale = 1/m", "softmax_cross_entropy"]),
        (written.SQUARES, ["cost, cost = squares, scale = 1/(mk)"]),
        (written.DERIVATIVES, ["sigmoid"]),
        (written.LSTM, ["lstm, gates = figo"]),
        (written.GRU, ["gru, gates = rzn, reset = before, update = take"]),
        (written.ATTENTION, ["multi_head_attention, heads = 2"]),
    ],
)
def test_a_right_layer_is_recognised_and_passes(tmp_path, source, layers):
    """With its settings and conventions, found from its output alone."""
    report = report_of(tmp_path, source)
    assert report.verdict == "pass", [f.detail for f in report.findings]
    assert recognised(report) == layers


@pytest.mark.parametrize(
    ("source", "right", "wrong", "places"),
    [
        (written.COLUMNS, "dy.sum(axis=1, keepdims=True)", "dy.mean(axis=1, keepdims=True)", ["gradient of bias"]),
        (written.CONV, "dout.sum(axis=(0, 2, 3))", "dout[:1].sum(axis=(0, 2, 3))", ["gradient of b"]),
        (written.POOL, "v] += dout", "v] = dout", ["gradient of x"]),
        (written.BATCHNORM, "keepdims=True) / n) / self.std", "keepdims=True) / n)", ["gradient of x"]),
        (written.DROPOUT, "dout * self.mask", "dout * (self.mask > 0)", ["gradient of x"]),
        (written.EMBEDDING, "np.add.at(self.dW, self.ids, dout)", "self.dW[self.ids] += dout", ["gradient of W"]),
        (written.SOFTMAX_LOSS, "(self.y - self.t) / len(self.y)", "self.y - self.t", ["gradient of x"]),
        (written.KEPT, "-y_true / dvalues / len(dvalues)", "-y_true / dvalues", ["gradient of x"]),
        (written.KEPT, "(dvalues - y_true) / len", "(dvalues + y_true) / len", ["gradient of x"]),
        (written.SQUARES, "2 * (predicted - actual)", "(predicted - actual)", ["gradient of x"]),
        (written.DERIVATIVES, "return self(x) * (1 - self(x))", "return self(x)", ["gradient of x"]),
        (written.DERIVATIVES, "-(y / p)", "(y / p)", ["gradient of x"]),
        (written.LSTM, "dc * g * i * (1 - i)", "dc * g * (1 - i)", ["gradient of Wx (gate i)"]),
        (written.GRU, "back * h * r * (1 - r)", "back * r * (1 - r)", ["gradient of x"]),
        (written.ATTENTION, "keepdims=True)) / self.scale", "keepdims=True))", ["gradient of x", "gradient of Wq"]),
    ],
)
def test_a_planted_fault_is_placed(tmp_path, source, right, wrong, places):
    """One change in the backward pass; its arguments are named, in the object's own names."""
    assert right in source
    report = report_of(tmp_path, source.replace(right, wrong))
    assert report.verdict == "fail"
    named = [p.equation for p in report.findings[0].places]
    assert set(places) <= set(named), named


def test_a_fault_below_the_reach_of_differences_is_found(tmp_path):
    """A relative error of 1e-11 in one gradient: the bound of jax.grad is far below it."""
    report = report_of(tmp_path, written.DENSE.replace("self.x.T @ dy", "(1 + 1e-11) * self.x.T @ dy"))
    assert [f.code.name for f in report.findings] == ["GC405"]


@pytest.mark.parametrize(
    "source",
    [
        written.BATCHNORM.replace("np.sqrt(var + self.eps)", "(np.sqrt(var) + self.eps)").replace(
            "* self.xhat).sum(axes, keepdims=True) / n)",
            "* self.xhat).sum(axes, keepdims=True) / n * (self.std / (self.std - self.eps)))",
        ),
        written.RELU.replace("x > 0", "x > -0.25"),
        written.DENSE.replace("x @ self.W + self.b", "np.clip(x @ self.W + self.b, -2.0, 2.0)").replace(
            "        self.dW", "        dy = dy * (np.abs(self.x @ self.W + self.b) < 2)\n        self.dW"
        ),
        written.SOFTMAX_LOSS.replace(" + 1e-7", ""),
        written.SOFTMAX_LOSS.replace("return (self.y", "return dout * (self.y"),
    ],
)
def test_another_convention_is_never_blamed(tmp_path, source):
    """ε outside the root, a threshold of its own, a clipped output, a logarithm without a guard: right for what it is."""
    report = report_of(tmp_path, source)
    assert report.verdict == "pass", [f.detail for f in report.findings]


def test_a_derivative_that_is_not_elementwise_is_no_pullback(tmp_path):
    """The diagonal of softmax's Jacobian is left alone, and the report says so; beside functions, derivatives are theirs."""
    report = report_of(tmp_path, written.DERIVATIVES)
    assert any(n.startswith("not checked: Softmax") and "not elementwise" in n for n in report.notes)
    pair = (
        "def relu_forward(x):\n    return np.maximum(x, 0), x\n"
        "def relu_backward(dout, cache):\n    return dout * (cache > 0)\n"
    )
    assert report_of(tmp_path, written.DERIVATIVES + pair).subject.convention == "forward_backward"


def test_a_first_layer_need_not_give_a_gradient_of_its_input(tmp_path):
    """Its parameters are judged, and the report says what was not."""
    source = written.CONV.replace("return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]", "return None")
    report = report_of(tmp_path, source)
    assert report.verdict == "pass"
    assert recognised(report)[0] == "conv2d, stride = 1, pad = 0"
    assert any("no gradient of x is given" in note for note in report.notes)
    wrong = report_of(tmp_path, source.replace("dout.sum(axis=(0, 2, 3))", "2 * dout.sum(axis=(0, 2, 3))"))
    assert [p.equation for p in wrong.findings[0].places] == ["gradient of b"]


def test_an_object_that_computes_in_float32_gets_bounds_of_that(tmp_path):
    """Right to seven digits is right there; a wrong row is found."""
    source = written.EMBEDDING.replace("return self.W[ids]", "return self.W[ids].astype('f')")
    assert report_of(tmp_path, source).verdict == "pass"
    assert report_of(tmp_path, source.replace("self.ids, dout)", "self.ids, 1.001 * dout)")).verdict == "fail"


def test_a_gradient_that_is_rounded_is_not_called_wrong(tmp_path):
    """It has less precision than its arguments, and that is what is said; wrong in float32 is wrong."""
    source = written.DENSE.replace("self.x.T @ dy,", "(self.x.T @ dy).astype('f'),")
    finding = report_of(tmp_path, source).findings[0]
    assert (finding.code.name, [p.equation for p in finding.places]) == ("GC601", ["gradient of W"])
    wrong = report_of(tmp_path, source.replace("(self.x.T @ dy)", "(1.001 * self.x.T @ dy)"))
    assert wrong.findings[0].code.name == "GC405"


def test_a_mistake_at_ties_alone_gets_no_name_of_another(tmp_path):
    """Each of several equal numbers in a window gets the whole: nothing is wrong elsewhere, and nothing else is named."""
    one = "            u, v = divmod(where[n, c, i, j], self.size)\n            dx[n"
    assert one in written.POOL
    each = (
        "            for m in np.flatnonzero(self.flat[n, c, i, j] == self.flat[n, c, i, j].max()):\n"
        "                u, v = divmod(m, self.size)\n                dx[n"
    )
    source = written.POOL.replace(one, each)
    finding = report_of(tmp_path, source).findings[0]
    assert "one gets the cotangent" in finding.detail
    assert not finding.explanations


def test_an_unknown_cost_may_guard_its_logarithm(tmp_path):
    """A gradient without the guard is no mistake; one that forgets the average is."""
    source = written.SOFTMAX_LOSS.replace("np.sum(t * np", "0.5 * np.sum(t * np").replace(
        "(self.y - self.t) /", "0.5 * (self.y - self.t) /"
    )
    assert report_of(tmp_path, source).verdict == "pass"
    assert report_of(tmp_path, source.replace(") / len(self.y)", ")")).verdict == "fail"


def test_a_stated_layer_judges_the_forward_pass_too(tmp_path):
    """Said to be affine, a factor of 1.01 is a finding; not said, it is a layer of its own."""
    source = written.DENSE.replace("x @ self.W + self.b", "1.01 * (x @ self.W + self.b)")
    source = source.replace("        self.dW", "        dy = 1.01 * dy\n        self.dW")
    assert report_of(tmp_path, source).verdict == "pass"
    found = report_of(tmp_path, source, layer="affine").findings
    assert [f.code.name for f in found] == ["GC301"]
    assert "output of its forward pass" in found[0].detail


def test_a_catalogued_fault_is_named(tmp_path):
    """The columns of one gate of an LSTM object, and the name of what was forgotten there."""
    report = report_of(tmp_path, written.LSTM.replace("dc * i * (1 - g**2)", "dc * i * g * (1 - g)"))
    assert [e.fault for e in report.findings[0].explanations] == ["lstm_candidate_sigmoid"]
    assert any("gate g" in p.equation for p in report.findings[0].places)


@pytest.mark.parametrize(
    ("source", "right", "wrong", "name"),
    [
        (written.LSTM, "dc * c_prev * f * (1 - f)", "dc * c_prev", "lstm_forget_no_prime"),
        (written.ATTENTION, "(dp - (dp * self.p).sum(axis=-1, keepdims=True))", "dp", "mha_no_softmax_sum"),
        (written.ATTENTION, " + dv @ self.Wv.T", "", "mha_no_value_path"),
        (written.CONV, "dout.sum(axis=(0, 2, 3))", "dout[0].sum(axis=(1, 2))", "conv_db_one_axis"),
    ],
)
def test_faults_of_objects_have_the_names_of_the_catalogue(tmp_path, source, right, wrong, name):
    """Case and claim are turned into the arrangement of the reference, where its faults are planted."""
    assert right in source
    report = report_of(tmp_path, source.replace(right, wrong))
    assert name in [e.fault for e in report.findings[0].explanations]


def test_a_convolutional_network_is_judged_layer_by_layer(tmp_path):
    """Convolution, ReLU, pooling, flatten and a dense layer, each recognised at its place, and the whole."""
    report = report_of(tmp_path, written.IMAGES, max_examples=48)
    assert report.verdict == "pass", [f.detail for f in report.findings]
    assert recognised(report)[::-1] == [
        "conv2d, stride = 1, pad = 1", "relu", "max_pool, size = 2, stride = 2", "reshape", "affine",
    ]  # fmt: skip
    assert any(p.parameter.startswith("Network as a whole") for p in report.power)


@pytest.mark.parametrize(
    ("right", "wrong", "layer"),
    [
        ("dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(0, 2))[:, 0]", "Network.layers[0] Conv2D"),
        ("v] += dout[n, c, i, j]", "v] += 2 * dout[n, c, i, j]", "Network.layers[2] MaxPool"),
        ("dout.reshape(self.shape)", "dout[:, ::-1].reshape(self.shape)", "Network.layers[3] Flatten"),
    ],
)
def test_the_first_layer_at_fault_is_named(tmp_path, right, wrong, layer):
    """In a convolutional network, whatever the layers above and below do."""
    assert right in written.IMAGES
    report = report_of(tmp_path, written.IMAGES.replace(right, wrong), max_examples=48)
    first = [f.detail for f in report.findings if "first layer at fault" in f.detail]
    assert len(first) == 1
    assert first[0].startswith(layer)
