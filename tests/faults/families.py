"""One fault of each family, with a layer to plant it at and what must be found: shared by the tests of this folder."""

from gradcheck.networks import COSTS, Architecture, Dense, Regularisation, activation_named
from gradcheck.networks.sampling import sample_case

FAMILY = (
    ("bp1_no_sigma_prime", None, ("BP1", 3)),
    ("bp1_squared_residual", None, ("BP1", 3)),
    ("bp1_factor_times_m", None, ("BP1", 3)),
    ("bp2_no_sigma_prime", 1, ("BP2", 1)),
    ("bp2_no_transpose", 2, ("BP2", 2)),
    ("bp2_prime_is_prime_of_a", None, ("BP2", 2)),
    ("bp2_updated_weights_01", None, ("BP2", 2)),
    ("bp3_delta_of_unit_0", 2, ("BP3", 2)),
    ("bp3_factor_over_m", None, ("BP3", 3)),
    ("bp4_weighted_input", 2, ("BP4", 2)),
    ("bp4_sum_then_outer", None, ("BP4", 3)),
    ("bp4_last_sample", 1, ("BP4", 1)),
    ("act_tanh_one_minus_a", None, ("BP2", 1)),
    ("reg_missing", 2, ("regularisation", 2)),
    ("reg_biases_too", None, ("regularisation", 3)),
    ("idx_W_layer_above", 1, ("BP4", 1)),
    ("bp4_first_unit_no_activation", 2, ("BP4", 2)),
    ("bp4_delta_of_input", None, ("BP4", 3)),
    ("bp2_sum_of_W_ji_delta_j_prime_i", None, ("BP2", 2)),
    ("bp3_at_the_other_end", 2, ("BP3", 2)),
    ("bp1_last_sample_only_unscaled", None, ("BP1", 3)),
    ("prec_recursion_float16", None, ("BP2", 2)),
)


def square_case(generator, m=4, cost="mse", output="sigmoid"):
    """3 → 3 tanh → 3 softplus → 3 with an L2 term: every product conforms."""
    names = ("tanh", "softplus", output)
    layers = tuple(Dense(3, activation_named(n)) for n in names)
    return sample_case(Architecture(3, layers, COSTS[cost], "1/m", Regularisation(0.3)), m, generator)


def plain_case(generator, m=5):
    """2 → 3 tanh → 4 sigmoid → 2 identity, mean squared error, no L2 term: all widths but two differ."""
    layers = tuple(Dense(n, activation_named(a)) for n, a in ((3, "tanh"), (4, "sigmoid"), (2, "identity")))
    return sample_case(Architecture(2, layers, COSTS["mse"], "1/m"), m, generator)
