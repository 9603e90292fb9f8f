"""The spellings of what training code is handed and reads: samples, sizes, rates, batches, numbers of passes.

Words only. It must not know what a file does with them.
"""

from gradcheck.subjects.flat_calls import SYNONYMS as SIZES
from gradcheck.subjects.layer_trial import RATES
from gradcheck.subjects.model_calls import CONSTRUCTOR, WORDS

BATCH = frozenset(
    {
        "batch_size",
        "minibatch_size",
        "mini_batch_size",
        "batchsize",
        "minibatch",
        "mini_batch",
        "batch",
        "bs",
        "n_batch",
    }
)
_TRAIN = {
    "X": ("X", "x", "inputs", "training_set_inputs", "training_inputs", "train_inputs", "X_train", "inputs_list", "data"),
    "y": ("y", "Y", "outputs", "targets", "training_set_outputs", "training_outputs", "train_outputs", "y_train",
          "targets_list", "labels", "target"),
    "one": ("number_of_training_iterations", "iterations", "epochs", "n_iter", "num_iterations", "n", "n_epochs",
            "num_epochs", "training_iterations", "iters", "niter", "epoch"),
}  # fmt: skip
DATA = {
    "X": tuple(dict.fromkeys((*_TRAIN["X"], *WORDS["X"], "train_X", "train_x", "input_array", "inputs_array", "x_data"))),
    "y": tuple(dict.fromkeys((*_TRAIN["y"], *WORDS["Y"], "train_y", "train_Y", "output_array", "y_data", "y_enc", "output"))),
    "X too": ("X_valid", "X_val", "X_test", "x_test", "x_val", "X_validation", "test_X", "val_X", "test_x"),
    "y too": ("y_valid", "y_val", "y_test", "Y_test", "y_validation", "test_y", "val_y", "Y_val"),
}  # fmt: skip
_ONE = (*_TRAIN["one"], "num_passes", "n_epoch", "steps", "max_iter", "iteration", "nb_epochs", "n_iters", "n_iterations",
        "num_iters", "epochs_num", "train_round", "nepochs", "maxiter", "max_epochs", "max_iterations")  # fmt: skip
_HIDDEN = (*CONSTRUCTOR["hidden"], *SIZES["hidden"])
MEANING = {
    **DATA,
    **{m: SIZES[m] for m in ("input", "sizes", "hiddens")},
    "labels": tuple(n for n in SIZES["labels"]),
    "hidden": _HIDDEN,
    "rate": RATES,
    "batch": tuple(BATCH),
    "one": _ONE,
    "quiet": (
        "verbose",
        "give_loss",
        "print_loss",
        "print_cost",
        "debug",
        "plot",
        "show",
        "log",
        "display",
        "print_info",
        "verbosity",
        "show_progress",
    ),
    "shuffle": ("shuffle", "shuffled", "do_shuffle"),
    "l2": ("lambda_", "lambd", "lam", "lmbda", "reg_lambda", "l2", "reg"),
}
"""What a function's arguments mean."""
OF_CONSTRUCTOR = {**{k: v for k, v in CONSTRUCTOR.items() if k != "rate"}, **MEANING, "input": CONSTRUCTOR["input"],
                  "labels": CONSTRUCTOR["labels"], "sizes": CONSTRUCTOR["sizes"]}  # fmt: skip
OF_NUMBERS = {
    "rate": RATES,
    "batch": tuple(BATCH),
    "input": (*SIZES["input"], "nn_input_dim", "D_in"),
    "labels": (*SIZES["labels"], "nn_output_dim", "D_out"),
    "hidden": (*SIZES["hidden"], "nn_hdim", "H"),
}
"""What numbers in the file that the loop reads mean."""
