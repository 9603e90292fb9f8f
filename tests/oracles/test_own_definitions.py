"""A user's own definition that jax cannot run is the caller's mistake, and says so."""

import numpy as np
import pytest

from gradcheck.errors import UsageError
from gradcheck.networks import Activation
from gradcheck.oracles.autodiff import activation_vjp


@pytest.mark.parametrize("function", [np.tanh, lambda z: z.nothing, lambda: 0])
def test_a_definition_that_jax_cannot_run_is_a_usage_error(function):
    """Whatever jax raises."""
    with pytest.raises(UsageError, match="cannot be run by jax"):
        activation_vjp(Activation("mine", function))(np.ones((2, 3)), np.ones((2, 3)))
