"""Each fault of the ladder is seen on a planted mistake, and not on the correct neighbour."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import Fault, examine
from gradcheck.checks.ladder import smooth_step, structure
from gradcheck.networks import forward
from gradcheck.subjects import Claim, Layout, Problem

COLUMNS, ROWS = Layout(), Layout("from_to", "rows", "vector")
RETURN = "    return d_weights, d_biases"
COST = "float(np.sum((a[-1] - y) ** 2)) / x.shape[1]"
NUMPY = "import numpy as np\n"


def returning(text):
    """The edit that returns something else."""
    return (RETURN, f"    return {text}")


def before_return(*lines):
    """The edit that does something before the return."""
    return (RETURN, "".join(f"    {line}\n" for line in lines) + RETURN)


PLANTED = {
    "COUNT": [returning("d_weights[:-1], d_biases")],
    "TYPE": [returning("[None for g in d_weights], d_biases")],
    "SHAPE": [returning("[g.T for g in d_weights], d_biases")],
    "DTYPE": [returning("d_weights, [np.ones(g.shape, int) for g in d_biases]")],
    "NONFINITE": [before_return("d_weights[0][0, 0] = np.nan")],
    "MUTATION": [before_return("x += 1.0")],
    "ALIASING": [before_return("d_weights[0] = weights[0]")],
    "NONDETERMINISM": [
        (NUMPY, NUMPY + "\ncalls = []\n"), before_return("calls.append(1)", "d_weights[0][0, 0] += len(calls) % 3"),
    ],
    "STALE_STATE": [
        (NUMPY, NUMPY + "\nlast = {}\n"),
        ("delta = 2 * (a[-1] - y)", "previous, last['y'] = last.get('y', y), y\n    delta = 2 * (a[-1] - previous)"),
    ],
    "ACCUMULATION": [
        (NUMPY, NUMPY + "\ntotal = {}\n"),
        before_return("for l in range(L):", "    total[l] = d_weights[l] = total.get(l, 0) + d_weights[l]"),
    ],
    "BACKWARD": [("(1 - a[l] ** 2)", "(1 - a[l])")],
    "FORWARD": [(COST, "3 * " + COST), ("delta = 2 *", "delta = 6 *")],
    "COST_CODE": [(COST, COST + " + 0.1 * float(a[-1].sum())")],
    "SCALE": [(COST + " + penalty", f"0.5 * ({COST} + penalty)")],
    "ALL_DIFFER": [(COST, COST + " + 0.1 * float(a[-1].sum())"), ("(1 - a[l] ** 2)", "(1 - a[l])")],
    "PRECISION": [("d_biases[l] = delta", "delta = delta.astype(np.float32).astype(float)\n        d_biases[l] = delta")],
}  # fmt: skip


@pytest.fixture
def examined(subject_of, make_case):
    """examined(pair, **options) -> the examination at a case of three layers, effects included."""

    def climb(pair, *widths, layout=COLUMNS, seed=0, other=True, trusted=True, **options):
        widths = widths or (3, 2, 4, 2)
        case, another = (make_case(*widths, seed=s, l2=0.5, **options) for s in (seed, seed + 1))
        return examine(subject_of(pair), case, layout, trusted=trusted, other=another if other else None)

    return climb


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_seen(examined, tanh_pair, name):
    """The first broken rung is named."""
    assert examined(tanh_pair(*PLANTED[name])).fault is Fault[name]


@pytest.mark.parametrize("seed", range(5))
def test_the_correct_neighbour_is_clean(examined, tanh_pair, seed):
    """Every component compared, with power in every tensor."""
    found = examined(tanh_pair(), seed=seed)
    assert (found.fault, found.silent, found.components) == (None, "", 6 + 2 + 8 + 4 + 8 + 2)
    assert max(found.power.values()) < 1e-9
    assert 0 < found.agreement < 1


@pytest.mark.parametrize("kind", ["missing", "count", "type", "shape", "dtype"])
def test_problems_of_a_claim_are_faults_of_structure(kind):
    """The topmost layer is named, where the backward pass came first."""
    problems = (Problem(kind, "W1", "one"), Problem(kind, "W3", "two"))
    found = structure(Claim({}, problems))
    assert (found.fault, found.parameter, found.message) == (Fault[kind.upper()], "W3", "one; two")


def test_a_claim_without_problems_has_no_structural_fault():
    """The neighbour."""
    assert structure(Claim({"W1": np.zeros((1, 1))})) is None


@pytest.fixture
def stale_cost(tanh_pair):
    """A right gradient, and a cost that remembers its value as long as the weights stay, whatever the biases do."""
    key = "(x.tobytes(), y.tobytes(), *(W.tobytes() for W in weights))"
    kept = f"known.setdefault({key}, {COST} + penalty)"
    return tanh_pair((NUMPY, NUMPY + "\nknown = {}\n"), (COST + " + penalty", kept))


def test_a_cost_that_is_stale_while_the_weights_stay_is_seen_beside_the_effects(examined, stale_cost):
    """The screen moves all tensors at once, where the value is computed anew."""
    found = examined(stale_cost)
    assert (found.fault, found.wrong) == (Fault.COST_CODE, ("b1", "b2", "b3"))


def test_a_stale_cost_is_seen_wherever_no_screen_is_wanted(subject_of, make_case, stale_cost):
    """As while its counterexample is shrunk."""
    found = [examine(subject_of(stale_cost), make_case(3, 4, 2), COLUMNS, screened=s).fault for s in (False, True)]
    assert found == [Fault.COST_CODE, None]


# The cells of the triangle


def test_backward_wrong_names_both_witnesses(examined, tanh_pair):
    """Differences of its own cost and jax.grad agree with each other."""
    found = examined(tanh_pair(*PLANTED["BACKWARD"]))
    assert found.rung == "triangle"
    assert found.message == "finite differences of its own cost and jax.grad agree: the claim is wrong"
    assert set(found.wrong) == {"W1", "b1", "W2", "b2"}


def test_without_differences_jax_alone_is_the_witness(subject_of, make_case, tanh_pair):
    """As while shrinking."""
    subject = subject_of(tanh_pair(*PLANTED["BACKWARD"]))
    found = examine(subject, make_case(3, 4, 2), COLUMNS, differences=False)
    assert (found.fault, found.message) == (Fault.BACKWARD, "jax.grad disagrees: the claim is wrong")


def test_forward_differs_shows_in_the_primal(examined, tanh_pair):
    """The gradient is that of its own cost, and the cost is not the declared one."""
    found = examined(tanh_pair(*PLANTED["FORWARD"]))
    assert (found.rung, found.ratio) == ("primal", None)
    assert "its own cost" in found.message


def test_a_cost_that_differs_by_a_constant_is_no_fault_of_the_gradient(examined, tanh_pair):
    """Both derivatives agree; the value alone is not judged."""
    assert examined(tanh_pair((COST, COST + " + 1.0"))).fault is None


def test_a_constant_factor_on_the_cost_is_told_apart(examined, tanh_pair):
    """The claim is twice the gradient of its own cost."""
    assert examined(tanh_pair(*PLANTED["SCALE"])).ratio == pytest.approx(2.0)


def test_a_constant_factor_on_the_gradient_is_reported_with_its_value(subject_of, make_case, tanh_pair):
    """The claim is 3 times the trusted one, in every tensor."""
    subject = subject_of(tanh_pair(("delta = 2 *", "delta = 6 *")))
    found = examine(subject, make_case(3, 4, 2), COLUMNS)
    assert found.ratio == pytest.approx(3.0)


def test_discrepancies_of_the_cost_code_are_projections(examined, tanh_pair):
    """They have no index: one random direction a tensor."""
    found = examined(tanh_pair(*PLANTED["COST_CODE"]))
    assert {d.index for d in found.discrepancies} == {()}
    assert all(d.oracle.startswith("finite differences") for d in found.discrepancies)


# No trusted definition


def test_its_own_cost_judges_alone(examined, tanh_pair):
    """A right gradient of an unknown cost passes, with the power of differences."""
    found = examined(tanh_pair(*PLANTED["FORWARD"]), trusted=False)
    assert (found.fault, found.rung, found.silent) == (None, "projection", "")
    assert max(found.power.values()) < 1e-2


@pytest.mark.parametrize(("name", "fault"), [("BACKWARD", Fault.BACKWARD), ("SCALE", Fault.SCALE)])
def test_its_own_cost_alone_sees_a_fault(subject_of, make_case, tanh_pair, name, fault):
    """The cost is unknown, its derivative is not."""
    found = examine(subject_of(tanh_pair(*PLANTED[name])), make_case(3, 4, 2), COLUMNS, trusted=False)
    assert (found.fault, found.rung) == (fault, "projection")


def test_a_gradient_that_is_not_finite_says_nothing_without_a_trusted_one(examined, tanh_pair):
    """Silent, with the reason."""
    found = examined(tanh_pair(*PLANTED["NONFINITE"]), trusted=False, other=False)
    assert (found.fault, found.silent) == (None, "the gradient is not finite")


# Numerics

NAIVE = (("COST_ON_LOGITS = {", "COST_ON_LOGITS: dict = {} if True else {"),)


@pytest.mark.parametrize(("edits", "fault"), [((), None), (NAIVE, Fault.UNSTABLE)], ids=["stable", "naive"])
def test_ln_zero_far_out_is_numerics_and_no_wrong_gradient(subject_of, row_major_pair, make_case, edits, fault):
    """Cross-entropy of a softmax that rounds to 0: right on paper, not finite in numbers."""
    case = make_case(2, 3, output="softmax", cost="cross_entropy", hard_targets=True, samples=4)
    far = case.at({"W1": case.weight(1) * 2000, "b1": case.bias(1) * 2000})
    found = examine(subject_of(row_major_pair(*edits)), far, ROWS)
    assert found.fault is fault


@pytest.mark.parametrize("hidden", ["relu", "leaky_relu(0.2)", "elu(0.5)"])
def test_exactly_at_a_kink_either_slope_passes(subject_of, row_major_pair, make_case, hidden):
    """The slope from below, from above, and anything between."""
    case = make_case(3, 4, 2, hidden=hidden, output="identity", scale="1/(2m)", regime="at_kink")
    for edits in ((), (("v * (z > 0)", "v * (z >= 0)"), ("np.where(z > 0, v,", "np.where(z >= 0, v,"))):
        assert examine(subject_of(row_major_pair(*edits)), case, ROWS).fault is None


def test_float32_is_measured_by_its_own_rounding(subject_of, row_major_pair, make_case):
    """A subject that computes in single precision is first class."""
    case = make_case(3, 4, 2, scale="1/(2m)", dtype="float32", samples=5)
    found = examine(subject_of(row_major_pair()), case, ROWS)
    assert found.fault is None
    assert 1e-9 < min(found.power.values()) < 1e-4


def test_a_case_without_power_is_silent(subject_of, make_case, tanh_pair):
    """Units so saturated that no gradient stands out of rounding."""
    case = make_case(3, 4, 2)
    dead = case.at({n: 300.0 + 0 * a if n[0] == "b" else a for n, a in case.parameters.items()})
    found = examine(subject_of(tanh_pair()), dead, COLUMNS)
    assert (found.fault, found.silent) == (None, "no tensor's gradient stands out of rounding")


@pytest.mark.parametrize("cost", ["mse", "mae"])
@pytest.mark.parametrize("hidden", ["tanh", "relu", "elu(1.0)"])
def test_the_first_step_crosses_no_kink(make_case, hidden, cost):
    """Along a direction, the weighted inputs keep their signs up to the largest step."""
    case = make_case(3, 4, 2, hidden=hidden, output="identity", cost=cost)
    generator = np.random.default_rng(0)
    for name in case.parameters:
        v = {name: generator.standard_normal(case.parameters[name].shape)}
        h = smooth_step(case, v)
        signs = {tuple(np.sign(forward(case.at({name: case.parameters[name] + s * h * v[name]}))[0][1]).flat)
                 for s in (-1, -0.5, 0, 0.5, 1)}  # fmt: skip
        assert 0 < h <= 1
        assert hidden == "tanh" or len(signs) == 1


def test_a_guarded_logarithm_widens_the_bound_by_what_the_guard_does(subject_of, row_major_pair, make_case):
    """Both ln a and ln(a + ε) are right then."""
    from gradcheck.networks.costs import guarded

    case = make_case(2, 3, output="softmax", cost="cross_entropy")
    guard = replace(case, architecture=replace(case.architecture, cost=guarded("cross_entropy", 1e-7)))
    edits = (*NAIVE, ("np.log(np.where(y == 0, 1, a))", "np.log(np.where(y == 0, 1, a) + 1e-7)"))
    assert examine(subject_of(row_major_pair(*edits)), guard, ROWS).fault is None
