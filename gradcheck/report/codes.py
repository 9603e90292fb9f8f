"""Finding codes: the single source of titles; select and ignore, documentation and SARIF rules are read off this table.

GC1xx structure · GC2xx effects · GC3xx primal and conventions · GC4xx equations · GC5xx activations · GC6xx numerics ·
GC9xx isolation and evidence. A code never changes its meaning.
"""

from enum import Enum


class Code(Enum):
    """Stable code -> title."""

    GC101 = "a gradient is missing"
    GC102 = "the number of gradients is wrong"
    GC103 = "a gradient is not an array of real numbers"
    GC104 = "a gradient has the wrong shape"
    GC105 = "a gradient has the wrong dtype"
    GC106 = "a gradient is not finite where the true one is"
    GC201 = "the backward pass changes what it was handed"
    GC202 = "gradients share memory"
    GC203 = "the same call gives different answers"
    GC204 = "an answer depends on an earlier call (stale state)"
    GC205 = "gradients pile up across calls"
    GC206 = "the answer depends on how an array lies in memory"
    GC207 = "the pullback is not linear in its cotangent"
    GC208 = "the upstream gradient is ignored"
    GC209 = "only a batch of one is wrong"
    GC301 = "the forward pass or the cost differs from what is declared"
    GC302 = "the cost code disagrees with forward and backward pass"
    GC303 = "the gradient is a constant multiple of the gradient of the subject's own cost"
    GC304 = "the regularisation in the gradient is not that of the cost"
    GC305 = "forward pass, cost and gradient disagree with one another"
    GC306 = "the gradient follows another complex convention than the one stated"
    GC401 = "the output error is wrong (BP1)"
    GC402 = "the recursion to the layer below is wrong (BP2)"
    GC403 = "the bias gradient is wrong (BP3)"
    GC404 = "the weight gradient is wrong (BP4)"
    GC405 = "the gradient with respect to an argument is wrong"
    GC406 = "the claim is the gradient of no function"
    GC407 = "the gradient of a batch is not put together from those of its samples"
    GC408 = "the gradient depends on the order of the samples"
    GC409 = "the gradient does not follow a permutation of the units"
    GC410 = "the gradient does not scale as the cost does"
    GC501 = "the derivative of an activation is wrong"
    GC601 = "the result has less precision than its dtype"
    GC602 = "overflow or a logarithm of zero where the gradient is finite"
    GC603 = "the cost guards its logarithm, the gradient does not"
    GC901 = "the subject could not be loaded"
    GC902 = "the subject raised an exception"
    GC903 = "the subject did not answer in time"
    GC904 = "the subject needed too much memory"
    GC905 = "the subject's process died"
    GC906 = "the subject ended its process"
    GC907 = "the subject broke the protocol of isolation"
    GC951 = "nothing was checked"
    GC952 = "no case had the power to show a fault"
    GC953 = "no cost is known: the claim is the gradient of something, up to a factor"

    @property
    def title(self) -> str:
        """The title: one line, lower case, no full stop."""
        return self.value
