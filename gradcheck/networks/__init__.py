"""Dense networks as data, their activations and costs, and the trusted forward pass."""

from gradcheck.networks.activations import Activation, activation_named, builtin_activations
from gradcheck.networks.architecture import (
    Architecture,
    Dense,
    Regularisation,
    Vocabulary,
    architecture_from_json,
    architecture_to_json,
    with_regularisation,
)
from gradcheck.networks.case import Case, OperationCase, Point, case_from_json, digest
from gradcheck.networks.costs import COSTS, L2_FORMS, SCALES, Cost, cost_named, legal
from gradcheck.networks.forward import cost, cost_of, data_term, forward, forward_once, on_logits, penalty

__all__ = [
    "COSTS",
    "L2_FORMS",
    "SCALES",
    "Activation",
    "Architecture",
    "Case",
    "Cost",
    "Dense",
    "OperationCase",
    "Point",
    "Regularisation",
    "Vocabulary",
    "activation_named",
    "architecture_from_json",
    "architecture_to_json",
    "builtin_activations",
    "case_from_json",
    "cost",
    "cost_named",
    "cost_of",
    "data_term",
    "digest",
    "forward",
    "forward_once",
    "legal",
    "on_logits",
    "penalty",
    "with_regularisation",
]
