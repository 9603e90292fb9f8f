"""What whole-network conventions share: the spellings of their arguments, how samples are handed over, layouts in their order.

Functions and objects both use it. It must not know how either keeps its parameters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case
from gradcheck.numerics import Array
from gradcheck.subjects.flat_calls import SYNONYMS as SIZES
from gradcheck.subjects.gradient_names import is_number, leaves_of
from gradcheck.subjects.layer_trial import RATES
from gradcheck.subjects.layout import Layout, samples_to_subject
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.samples import columns

Targets = Literal["one_hot", "labels"]
Samples = Literal["batch", "column", "vector"]
"""All samples in one matrix, or one call a sample, which is a column (n, 1) or a vector (n,)."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "X": ("X", "x", "inputs", "input", "A0", "a0", "data", "X_train", "X_batch", "xs", "features", "x_batch", "batch_x",
          "input_data", "images", "x_train", "training_inputs", "samples_x", "x_in", "inp"),
    "Y": ("Y", "y", "targets", "target", "labels", "y_true", "T", "t", "Y_train", "Y_batch", "label", "y_batch", "batch_y",
          "ys", "expected", "desired", "y_train", "one_hot_Y", "one_hot_y", "Y_true", "training_outputs", "truth",
          "output_data"),
    "parameters": ("parameters", "params", "P", "p", "param", "parameter", "model", "weights_and_biases", "theta", "net",
                   "network", "layers", "pars", "state", "variables", "wb"),
    "weights": ("weights", "W", "Ws", "weight", "weight_matrices", "w", "ws"),
    "biases": ("biases", "b", "bs", "B", "bias", "bias_vectors"),
    "cache": ("cache", "caches", "memory", "mem", "forward_cache", "stored", "activations_cache", "tape", "ctx", "saved",
              "activations", "intermediates", "trace", "context", "history", "acts"),
    "result": ("outputs", "results", "forward_outputs", "forward_result"),
    "AL": ("AL", "A", "a", "y_hat", "Y_hat", "A_last", "output", "y_pred", "y_predict", "predictions", "probs", "A_final",
           "yhat", "pred", "out", "o", "prediction", "scores", "y_predicted", "a_out", "Yhat", "logits", "output_activations"),
    "lambd": ("lambd", "lambda_", "lam", "reg", "l2", "lmbda", "reg_lambda", "regularization", "reg_strength", "weight_decay",
              "l2_reg", "alpha_l2", "lambda_reg"),
    "rate": (*RATES, "lr_", "epsilon"),
    "depth": ("L", "num_layers", "n_layers", "number_of_layers"),
    "samples": ("m", "num_samples", "n_samples", "batch_size"),
    "sizes": ("layer_sizes", "sizes", "layer_dims", "dims", "architecture", "layers_dims"),
}  # fmt: skip
SAMPLES = (*WORDS["samples"], "num_examples", "m_train", "N", "n_examples", "num_train", "n_train")
"""The spellings of the number of samples where data would have given it."""
CONSTRUCTOR: Mapping[str, tuple[str, ...]] = {
    "input": (*SIZES["input"], "n_features", "num_features", "in_features", "in_dim", "dim_in", "n_x", "nx", "n_i", "ni",
              "input_nodes", "inputs", "in_size", "num_input", "n_visible", "D", "input_neurons", "inputnodes", "input", "nin",
              "input_units", "numInputs", "n_input_nodes", "input_shape"),
    "hidden": (*SIZES["hidden"], "hidden", "n_h", "nh", "hidden_nodes", "hidden_neurons", "n_hid", "H", "num_hidden_units",
               "nn_hdim", "hiddennodes", "hidden_layer", "n_hidden_nodes", "n_hidden_units", "hidden_layer_nodes", "nhid"),
    "labels": (*SIZES["labels"], "out_features", "out_dim", "dim_out", "n_y", "ny", "n_o", "no", "output_nodes", "outputs",
               "out_size", "num_output", "output", "C", "output_neurons", "n_targets", "outputnodes", "output_units", "nout",
               "num_outputs", "n_output_nodes"),
    "sizes": (*SIZES["sizes"], "layer_size", "sizes_of_layers", "units", "n_units", "num_units", "layers_dim", "shape",
              "nodes", "widths", "structure", "layers_dims", "layer_nodes", "neurons"),
    "hiddens": (*SIZES["hiddens"], "hidden_size_list", "hidden_sizes", "hidden_layers", "hidden_layer_dims"),
    "l2": ("lambda_", "lambd", "reg", "lam", "l2", "lmbda", "lamb", "reg_lambda", "regularization"),
    "rate": RATES,
    "dtype": ("dtype", "float_type", "float_dtype"),
}  # fmt: skip
"""What a constructor's arguments mean: sizes, a rate, a strength of regularisation."""
LAYOUTS = tuple(
    Layout(weights, samples, bias)  # type: ignore[arg-type]
    for weights, samples, bias in (
        ("from_to", "rows", "vector"),
        ("to_from", "columns", "column"),
        ("from_to", "rows", "row"),
        ("to_from", "rows", "vector"),
        ("to_from", "columns", "vector"),
        ("from_to", "columns", "column"),
        ("to_from", "rows", "row"),
        ("to_from", "rows", "column"),
        ("from_to", "rows", "none"),
        ("to_from", "columns", "none"),
        ("to_from", "rows", "none"),
        ("from_to", "columns", "none"),
        ("from_to", "rows", "first_row"),
        ("to_from", "columns", "first_column"),
        ("to_from", "rows", "first_column"),
    )
)
LOSS_WORDS = ("loss", "cost", "j", "error", "err", "c", "e", "total_loss", "value", "objective")


def handed_samples(case: Case, layout: Layout, samples: Samples, targets: Targets) -> dict[str, Any]:
    """X and Y as the subject takes them: two arrays, or two lists of single samples."""
    if samples == "batch":
        x = samples_to_subject(case.inputs, layout, case.dtype)
        y = labels_of(case.targets) if targets == "labels" else samples_to_subject(case.targets, layout, case.dtype)
        return {"X": x, "Y": y}
    vector = samples == "vector"
    each = columns(case.inputs, case.dtype, vector=vector)
    if targets == "labels":
        return {"X": each, "Y": [int(k) for k in labels_of(case.targets)]}
    return {"X": each, "Y": columns(case.targets, case.dtype, vector=vector)}


def output_limits(tried: int, targets: Targets) -> tuple[int, int | None]:
    """How many outputs a subject accepts that ran with so many: class labels index the outputs, so that one is too few."""
    return (1, 1) if tried == 1 else (2, None) if targets == "labels" else (1, None)


def require_precision(values: Iterable[Any], dtype: str) -> None:
    """Raise SubjectError where float64 went in and float32 came out: differences would measure its rounding."""
    kinds = {v.dtype for v in values if isinstance(v, (np.ndarray, np.generic)) and v.dtype.kind == "f"}
    if dtype == "float64" and kinds == {np.dtype(np.float32)}:
        msg = 'it computes in float32 although it gets float64: say dtype = "float32" (--dtype float32) to have it checked so'
        raise SubjectError("unrecognised", msg)


def labels_of(targets: Array) -> Array:
    """The class of each sample. Raises SubjectError of kind "unsupported" for targets that are not one-hot."""
    hard = np.all((targets == 0) | (targets == 1)) and (len(targets) == 1 or np.all(targets.sum(axis=0) == 1))
    if not hard:
        raise SubjectError("unsupported", "it takes class labels: no targets in between")
    return np.asarray(targets[0].astype(np.int64) if len(targets) == 1 else np.argmax(targets, axis=0))


def require_every_class(case: Case) -> None:
    """Raise SubjectError of kind "unsupported" where a class is the target of no sample: a file may count them there."""
    if not np.all(case.targets.any(axis=1)):
        raise SubjectError(
            "unsupported", "it counts the classes among its labels: cases without all of them are left out"
        )


def one_class(case: Case) -> Case:
    """The case with the first class as the target of every sample."""
    n, m = case.targets.shape
    return replace(case, targets=np.eye(n)[:, np.zeros(m, dtype=int)])


def loss_in(result: Any, names: Sequence[str | None] = ()) -> Any:
    """The loss in a result: the number itself, or the element of a tuple that is called so or is the first number."""
    if not isinstance(result, (tuple, list)):
        return result
    for k, name in enumerate(names if len(names) == len(result) else ()):
        if name is not None and name.lower().strip("_") in LOSS_WORDS and np.size(result[k]) == 1:
            return result[k]
    found = next((item for item in result if is_number(item)), None)
    if found is None:
        raise Malformed("type", "loss", "no loss (one number) is among the values that it returned")
    return found


def has_number(result: Any) -> bool:
    """Whether a result is a loss, or holds one."""
    return is_number(result) or (isinstance(result, (tuple, list)) and any(is_number(item) for item in result))


def output_in(result: Any, names: Sequence[str | None], units: int, samples: int, depth: int) -> Any:
    """The output activations in what a forward pass returned: by name where there is one, else the last of its shape."""
    if isinstance(result, np.ndarray):
        return result
    usual = (f"A{depth}", f"a{depth}", "AL", "aL", "y_hat", "yhat", "Y_hat", "output", "out", "probs", "y_pred", "pred")
    if isinstance(result, Mapping):
        named = next((result[n] for n in usual if n in result), None)
        return named if named is not None else last_of_shape(result, units, samples)
    if not isinstance(result, (tuple, list)):
        return result
    by_name = (
        {n: item for n, item in zip(names, result, strict=False) if n is not None} if len(names) == len(result) else {}
    )
    found = next((by_name[n] for n in usual if isinstance(by_name.get(n), np.ndarray)), None)
    arrays = [item for item in result if fits(item, units, samples)]
    if found is None and len(result) == 2 and len(arrays) == 1:
        return arrays[0]
    return found if found is not None else last_of_shape(result, units, samples)


def last_of_shape(result: Any, units: int, samples: int) -> Any:
    """The last array of the outputs' shape in any nesting; None where there is none."""
    arrays = [leaf for _, leaf in leaves_of(result) if fits(leaf, units, samples)]
    return arrays[-1] if arrays else None


def fits(value: Any, units: int, samples: int) -> bool:
    """Whether an array can be the outputs of so many units for so many samples."""
    shapes = {
        (units, samples),
        (samples, units),
        *([(units,)] if samples == 1 else []),
        *([(samples,)] if units == 1 else []),
    }
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.shape in shapes


def own_callables(members: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Iterator[tuple[str, Any]]:
    """The file's functions, and partial applications of them."""
    yield from functions.items()
    module = members.get("__name__")
    for name, value in members.items():
        inner = getattr(value, "func", None)
        if callable(value) and inner is not None and getattr(inner, "__module__", module) == module:
            yield name, value
