"""The catalogue: every named fault, family by family. Two uses: plant it (self-test), match it (diagnosis)."""

from collections.abc import Mapping

from gradcheck.faults import (
    bias,
    derivative,
    folded,
    indexing,
    indices,
    output_error,
    parts,
    precision,
    recursion,
    regularisation,
    scale,
    weight,
)
from gradcheck.faults.fault import Fault

FAMILIES: Mapping[str, tuple[Fault, ...]] = {
    "output error": output_error.FAULTS,
    "recursion": recursion.FAULTS,
    "bias gradient": bias.FAULTS,
    "weight gradient": weight.FAULTS,
    "scale": scale.FAULTS,
    "derivative": derivative.FAULTS,
    "regularisation": regularisation.FAULTS,
    "indexing": indexing.FAULTS,
    "indices": indices.FAULTS,
    "parts": parts.FAULTS,
    "folded biases": folded.FAULTS,
    "precision": precision.FAULTS,
}
CATALOGUE: Mapping[str, Fault] = {fault.name: fault for faults in FAMILIES.values() for fault in faults}
