"""Layer faults: is each of them found and named, and would the customary lazy test have seen it?

    python -m tests.benchmarks.layers [--quick]

Every fault of the catalogue is planted into the reference backward pass and verified like any subject. The lazy test compares
the same faulty gradient exactly, but at a customary case: cotangent of ones, γ = 1, β = 0, one step, zero initial states,
stride 1 without padding, windows that do not overlap, no index twice, nothing masked. The last line is a JSON object; the exit
code is 1 when a fault is missed, or its name.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradcheck.campaign.layers import Reading
from gradcheck.campaign.operations import verify_operations
from gradcheck.campaign.outcome import Options
from gradcheck.faults.layers import FAULTS, LayerFault, gradient_of, planted
from gradcheck.networks import OperationCase
from gradcheck.networks.layers import LAYERS
from gradcheck.oracles.layers import output_of, trusted_layer
from gradcheck.report import Code, Finding
from gradcheck.subjects import LocalSubject, detect, members_of

TABLE = Path("reports/benchmarks/layers.md")


def finding_of(fault: LayerFault, cases: int) -> Finding | None:
    """The finding on the reference with the fault planted; None when it passes."""
    functions = {n: f for n, f in planted(fault).items() if n.startswith(f"{fault.layer}_")}
    subject = LocalSubject(detect(members_of(functions), fault.name))
    findings = verify_operations(subject, Options(cases)).findings
    return findings[0] if findings else None


def lazy_case(layer: str, seed: int = 0) -> OperationCase:
    """A case as a customary test has it."""
    pinned = dict(LAYERS[layer].lazy)
    takes = [*LAYERS[layer].arguments, *LAYERS[layer].optional]
    case = Reading(layer, layer, pinned, takes).case(np.random.default_rng(seed))
    arguments, fixed = dict(case.arguments), dict(case.fixed)
    if "gamma" in arguments:
        arguments["gamma"] = np.ones_like(arguments["gamma"])
    if "beta" in arguments:
        arguments["beta"] = np.zeros_like(arguments["beta"])
    for state in {"h0", "c0"} & set(arguments):
        arguments[state] = np.zeros_like(arguments[state])
    if "h0" in arguments:
        arguments["x"] = arguments["x"][:, :1]
    if "indices" in fixed:
        fixed["indices"] = np.arange(arguments["w"].shape[0])[None, :]
    if "mask" in fixed and layer != "dropout":
        fixed["mask"] = np.ones_like(fixed["mask"])
    output = output_of(layer, arguments, fixed)
    return replace(case, arguments=arguments, fixed=fixed, cotangent=np.ones(output.shape))


def lazy_sees(fault: LayerFault) -> bool:
    """Whether the faulty gradient differs at the lazy case beyond cs231n's customary relative error of 1e-7."""
    case = lazy_case(fault.layer)
    claim, expected = gradient_of(fault, case), trusted_layer(case)[0].pullback.value
    if claim is None:
        return True
    return any(
        claim[n].shape != g.shape or np.max(np.abs(claim[n] - g)) > 1e-7 * np.max(np.abs(g) + np.abs(claim[n])) + 1e-9
        for n, g in expected.items()
    )


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write the table; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every third fault, 8 cases each")
    quick = parser.parse_args(arguments).quick
    chosen = FAULTS[::3] if quick else FAULTS
    rows, found, named, lazy = [], 0, 0, 0
    for fault in chosen:
        finding, seen = finding_of(fault, 8 if quick else 24), lazy_sees(fault)
        names = [e.fault for e in finding.explanations] if finding else []
        if finding is not None and finding.code is Code.GC208 and fault.name.endswith("_ignores_upstream"):
            names = [fault.name, "by its code GC208"]  # a law of every pullback says so before any catalogue
        found, named, lazy = found + (finding is not None), named + (fault.name in names), lazy + seen
        where = ", ".join(p.equation for p in finding.places) if finding else "**not found**"
        rows.append(
            f"| {fault.layer} | `{fault.name}` | {where} | {', '.join(names) or '–'} | {'yes' if seen else 'no'} |"
        )
        print(rows[-1])
    figures = {"faults": len(chosen), "found": found, "named": named, "seen_by_the_lazy_test": lazy}
    if not quick:
        head = "| layer | fault | place | names that survive | seen by the lazy test |\n|---|---|---|---|---|\n"
        text = f"# Layer faults\n\nMade by `python -m tests.benchmarks.layers`: {json.dumps(figures)}\n\n{head}"
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        TABLE.write_text(text + "\n".join(rows) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    return 0 if found == named == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
