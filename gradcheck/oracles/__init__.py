"""Independent sources of the derivative: finite differences of the subject's own primal, and jax.grad of the trusted one.

Both answer with an `Estimate`: a value with its error bound. Import them from their modules, `finite_difference.gradient` and
`trusted.trusted_estimate`: importing this package alone does not import jax.
"""
