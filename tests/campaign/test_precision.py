"""A cast on the way is named with its place: GC601, the equation, the layer, and the cast that reproduces the claim."""

import gradcheck

FEW = {"activations": ["tanh"], "costs": ["mse"], "max_examples": 15}
RETURN = "    return d_weights, d_biases"
CAST = (RETURN, f"    d_weights = [g.astype(np.float16).astype(float) for g in d_weights]\n{RETURN}")


def test_a_cast_to_float16_has_its_place(tanh_pair):
    """The weight gradient alone."""
    report = gradcheck.verify(tanh_pair(CAST), **FEW)
    (finding,) = report.findings
    assert (report.verdict, finding.code.name) == ("fail", "GC601")
    assert finding.places[0].equation == "BP4"
    assert {e.fault for e in finding.explanations} == {"prec_weight_gradient_float16"}


def test_the_right_neighbour_passes(tanh_pair):
    """The same code without the cast."""
    assert gradcheck.verify(tanh_pair(), **FEW).verdict == "pass"
