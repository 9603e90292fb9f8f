"""The texts of `gradcheck explain`: every finding code, and every fault of the catalogue.

A code's text says what it means, the equation, a wrong and a right example in numpy, how it looks in a report, and where no
case can show it. Keyed by the code's name: this module must not know reports.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from gradcheck.errors import UsageError
from gradcheck.faults.catalogue import CATALOGUE, FAMILIES
from gradcheck.faults.fault import Fault
from gradcheck.faults.layers import FAULTS as OF_LAYERS
from gradcheck.faults.layers import LayerFault
from gradcheck.faults.state import STATE, StateFault


@dataclass(frozen=True, slots=True)
class Text:
    """One code: title and meaning, then the parts of its page; an empty part is left out."""

    title: str
    meaning: str
    equation: str = ""
    wrong: str = ""
    right: str = ""
    report: str = ""
    invisible: str = ""


CODES: Mapping[str, Text] = {
    "GC101": Text(
        "a gradient is missing",
        "The backward pass hands back no gradient for a parameter that the forward pass uses.",
        "one gradient for each of W¹, b¹, …, Wᴸ, bᴸ",
        "for l in range(L - 1, 0, -1):  # layer 0 never comes\n    dW[l] = delta @ a[l].T",
        "for l in range(L - 1, -1, -1):\n    dW[l] = delta @ a[l].T",
        "no gradient of W1 was returned",
        "never: structure is looked at on every case",
    ),
    "GC102": Text(
        "the number of gradients is wrong",
        "The result has more or fewer entries than there are layers or parameters.",
        "len(weight_gradients) = len(weights)",
        "return dW[1:], db[1:]",
        "return dW, db",
        "expected a list of 3 weight gradients, one a layer; got 2",
        "never: structure is looked at on every case",
    ),
    "GC103": Text(
        "a gradient is not an array of real numbers",
        "What stands where a gradient should is None, text, complex, a ragged list, or no array at all.",
        "",
        "db.append(None)",
        "db.append(delta.sum(axis=1, keepdims=True))",
        "the gradient of b1 must be real numbers; got NoneType",
        "never: structure is looked at on every case",
    ),
    "GC104": Text(
        "a gradient has the wrong shape",
        "A gradient must have exactly the shape of its parameter. One that merely broadcasts spoils the update silently.",
        "dbˡ = Σ over samples of δˡ, shape (n_l, 1), not (n_l, m)",
        "db[l] = delta  # (n, m)",
        "db[l] = delta.sum(axis=1, keepdims=True)  # (n, 1)",
        "the gradient of b2 has shape (4, 5); expected (4, 1): it has one column for each sample",
        "one sample; a transposed gradient of a square matrix has the right shape and is GC404 instead",
    ),
    "GC105": Text(
        "a gradient has the wrong dtype",
        "A gradient of whole numbers has lost the fraction.",
        "",
        "dW = np.zeros(W.shape, dtype=int)\ndW += delta @ a.T",
        "dW = np.zeros(W.shape)\ndW += delta @ a.T",
        "the gradient of W1 has dtype int64; expected floating-point numbers",
        "never: the dtype is looked at on every case",
    ),
    "GC106": Text(
        "a gradient is not finite where the true one is",
        "NaN or infinity from an overflow, a division by zero or a logarithm of zero, at a point where the derivative exists.",
        "σ′(z) = σ(z)(1 − σ(z)) is finite for every z",
        "np.exp(z) / (1 + np.exp(z)) ** 2  # inf/inf from z = 710 on",
        "s = 1 / (1 + np.exp(-np.abs(z)))\ns * (1 - s)",
        "the gradient of W1 holds 3 values that are not finite",
        "small weights and inputs; the regimes large and saturated are there for it",
    ),
    "GC201": Text(
        "the backward pass changes what it was handed",
        "Weights, biases, inputs or targets hold other bytes after the call than before.",
        "",
        "y -= a[-1]  # the caller's targets are gone\ndelta = -y",
        "delta = a[-1] - y",
        "W1 (by the gradient)",
        "where nothing is read again after the call: compare bytes, not results",
    ),
    "GC202": Text(
        "gradients share memory",
        "Two gradients, or a gradient and an argument, are views of one array: writing one changes the other.",
        "",
        "buffer = np.zeros((n, n))\ndW = [buffer] * L",
        "dW = [np.zeros_like(W_l) for W_l in W]",
        "the gradients of W2 and W3 share memory",
        "layers of different shapes, where a shared buffer is not possible",
    ),
    "GC203": Text(
        "the same call gives different answers",
        "The result depends on a random number or a counter.",
        "",
        "delta *= np.random.default_rng().random(delta.shape) < 0.9  # a new mask backward",
        "delta *= mask  # the mask of the forward pass",
        "the gradient of W1 differs when the same call is repeated",
        "one call: everything is called twice",
    ),
    "GC204": Text(
        "an answer depends on an earlier call (stale state)",
        "A cache of the forward pass was not filled anew: after a call elsewhere the gradient is that of another point.",
        "",
        "if not self.cache:\n    self.cache = forward(W, x)",
        "self.cache = forward(W, x)",
        "the gradient of W1 differs after a call at another point",
        "one point, as every check at a single point uses",
    ),
    "GC205": Text(
        "gradients pile up across calls",
        "Each call adds to the gradients of the one before.",
        "",
        "self.dW += delta @ a.T",
        "self.dW = delta @ a.T",
        "the gradient of W1 grows by the same amount at each call",
        "the first call",
    ),
    "GC206": Text(
        "the answer depends on how an array lies in memory",
        "The same numbers in Fortran order, with strides, reversed, as a broadcast or a read-only array give another result.",
        "",
        'mask = x.ravel("K").reshape(x.shape) > 0  # the order of the memory',
        "mask = x > 0",
        "the gradient of x is another one when x is in Fortran order",
        "contiguous arrays in C order; an exception for other arrays is no finding",
    ),
    "GC207": Text(
        "the pullback is not linear in its cotangent",
        "A pullback B is a product with the transposed Jacobian: B(0) = 0 and B(a u + b v) = a B(u) + b B(v).",
        "B(v) = Jᵀ v",
        "dx = np.clip(dout, -1, 1) * (x > 0)",
        "dx = dout * (x > 0)",
        "the gradient of x is not linear in the upstream gradient: B(2u) is not 2 B(u)",
        "small upstream gradients, where clipping does nothing; a wrong but linear pullback keeps the law",
    ),
    "GC208": Text(
        "the upstream gradient is ignored",
        "The result is the same for every upstream gradient: it is right only behind a sum, whose gradient is 1.",
        "dx = Jᵀ dout",
        "dx = 1.0 * (x > 0)",
        "dx = dout * (x > 0)",
        "the gradient of x is the same for every upstream gradient: multiply by it",
        "an upstream gradient of ones, as a check of f(x).sum() has",
    ),
    "GC209": Text(
        "only a batch of one is wrong",
        "With one sample the axis of the samples has length 1: it is squeezed away, or confused with another one.",
        "",
        "delta = np.squeeze(delta)",
        "delta  # keep both axes, also for m = 1",
        "only a batch of one is wrong, the same network with two samples is right",
        "m > 1",
    ),
    "GC301": Text(
        "the forward pass or the cost differs from what is declared",
        "The gradient is that of the subject's own cost, but this cost is not the one of its name: another activation, cost or "
        "convention. Forward and backward pass agree with each other.",
        "C = scale · Σ cost(aᴸ, y) + λ-term",
        'def loss(…, cost):  # called with "cross_entropy"\n    return np.mean((a - y) ** 2)',
        "    return -np.sum(y * np.log(a)) / m",
        "own differences agree with the claim, jax.grad does not",
        "a gradient check against the subject's own cost: it always agrees",
    ),
    "GC302": Text(
        "the cost code disagrees with forward and backward pass",
        "The gradient is the right one for the declared cost, but the function that computes the cost is not.",
        "½ Σ (a − y)² has the gradient a − y, Σ (a − y)² has 2 (a − y)",
        "return np.sum((a[1:] - y[1:]) ** 2)  # the first output is left out",
        "return np.sum((a - y) ** 2)",
        "jax.grad agrees with the claim, differences of the own cost do not",
        "a comparison with jax.grad alone, which never calls the cost",
    ),
    "GC303": Text(
        "the gradient is a constant multiple of the gradient of the subject's own cost",
        "One factor in all gradients: a ½, a 2, an m or an n that cost and gradient do not share. Which of the two is meant "
        "only their author knows; gradient descent works, at another rate.",
        "C = (1/2m) Σ ‖a − y‖² goes with δᴸ = (a − y)/m ⊙ σ′",
        "cost = np.sum((a - y) ** 2) / m\ndelta = (a - y) / m * prime",
        "cost = np.sum((a - y) ** 2) / (2 * m)\ndelta = (a - y) / m * prime",
        "the claim is 0.5 times the derivative of its own cost, in every tensor",
        "m = 1 hides a missing 1/m, one output hides a missing 1/n; λ > 0 breaks the constant factor, which tells more",
    ),
    "GC304": Text(
        "the regularisation in the gradient is not that of the cost",
        "With λ = 0 the gradient is right. The part that depends on λ is missing, has another factor, or touches the biases.",
        "(λ/2) ΣW² gives λ W; (λ/2m) ΣW² gives (λ/m) W; biases are not penalised",
        "dW[l] = delta @ a.T + lam * W[l] / m  # the cost has λ/2 ΣW², without 1/m",
        "dW[l] = delta @ a.T + lam * W[l]",
        "place: regularisation; explanation such as reg_factor_over_m",
        "λ = 0; zero weights",
    ),
    "GC305": Text(
        "forward pass, cost and gradient disagree with one another",
        "The gradient is neither that of the subject's own cost nor that of the declared one, and these two differ too: "
        "at least two mistakes, or a mistake that the forward and the backward pass do not share.",
        "",
        "forward: a = np.tanh(z), backward: a * (1 - a), declared: sigmoid",
        "forward and backward of the same activation",
        "all three corners of the triangle differ",
        "first make the forward pass right: until then the backward pass cannot be judged against jax.grad",
    ),
    "GC306": Text(
        "the gradient follows another complex convention than the one stated",
        "The pullback of a function of complex arrays is right, but under another convention than the stated one: mostly a "
        "conjugate too many or too few.",
        "for w = c z: z̄ = c w̄ (transpose, as jax does) or z̄ = conj(c) w̄ (conjugate transpose, as torch does)",
        "return np.conj(c) * cotangent  # with complex_convention='jax'",
        "return c * cotangent",
        "the claim follows the convention of …; stated is that of …",
        "real arrays; without a stated convention the one in use is recognised, and is no fault",
    ),
    "GC401": Text(
        "the output error is wrong (BP1)",
        "The error of the last layer is not ∂C/∂zᴸ. Every layer is wrong with it.",
        "δᴸ = ∇C ⊙ σ′(zᴸ); the short form δᴸ = a − y is right only for sigmoid with bce and softmax with cross entropy",
        "delta = a[-1] - y  # with the squared error",
        "delta = (a[-1] - y) * sigmoid_prime(z[-1])",
        "place: BP1 at layer L; explanation such as bp1_no_sigma_prime",
        "an output layer that is the identity, where σ′ = 1; a matched pair of activation and cost",
    ),
    "GC402": Text(
        "the recursion to the layer below is wrong (BP2)",
        "The error of a hidden layer is not what follows from the error above it. The layers above are right.",
        "δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ)",
        "delta = W[l + 1].T @ delta",
        "delta = (W[l + 1].T @ delta) * sigma_prime(z[l])",
        "place: BP2 at layer l; explanation such as bp2_no_sigma_prime, or the curve of the effective derivative",
        "one layer; the identity or relu with positive z, where σ′ = 1; a missing transpose of a symmetric W",
    ),
    "GC403": Text(
        "the bias gradient is wrong (BP3)",
        "The weight gradient of the layer is right, so δ is: it is added up wrongly for the biases.",
        "dbˡ = Σ over samples of δˡ",
        "db[l] = delta.mean(axis=1, keepdims=True)  # 1/m a second time",
        "db[l] = delta.sum(axis=1, keepdims=True)",
        "place: BP3 at layer l; explanation such as bp3_factor_over_m",
        "one sample, where sum and mean are the same; one unit, where δ₀ stands for all",
    ),
    "GC404": Text(
        "the weight gradient is wrong (BP4)",
        "The bias gradient of the layer is right, so δ is: it meets the wrong activations, or in the wrong product.",
        "dWˡ = δˡ (aˡ⁻¹)ᵀ, with the activation below, not z and not x",
        "dW[l] = delta @ z[l - 1].T",
        "dW[l] = delta @ a[l - 1].T",
        "place: BP4 at layer l; explanation such as bp4_weighted_input",
        "the first layer, where a⁰ = x; an identity below; a symmetric gradient hides a transpose",
    ),
    "GC405": Text(
        "the gradient with respect to an argument is wrong",
        "The pullback of a single layer or function is wrong for one of its arguments.",
        "x̄ = Jᵀ ȳ for a random cotangent ȳ",
        "dx = dout * s * (1 - s)  # softmax: the diagonal of J alone",
        "dx = s * (dout - np.sum(dout * s, axis=0, keepdims=True))",
        "place: the argument's name",
        "a cotangent of ones, which softmax sends to 0: cotangents are Gaussian here",
    ),
    "GC406": Text(
        "the claim is the gradient of no function",
        "The file declares no cost and shows none that is known; whatever it is, the Jacobian of its gradient is symmetric. "
        "That of the claim is not.",
        "⟨u, J v⟩ = ⟨v, J u⟩ for J the Jacobian of the gradient",
        "delta = (W_above.T @ delta) * sigma(z)",
        "delta = (W_above.T @ delta) * sigma_prime(z)",
        "the claim is the gradient of nothing, whatever the cost; and the layer from which it shows",
        "one factor or sign on the whole gradient; a network of a single number",
    ),
    "GC407": Text(
        "the gradient of a batch is not put together from those of its samples",
        "The cost is a sum or a mean over the samples, and so is its gradient. That of the claim for a batch is not: samples "
        "get into one another's terms, or some are left out. No oracle is asked: the subject's own cost vouches for the law, "
        "and where it does not keep it (batchnorm, a dropout mask, a cost such as a root of a mean) nothing is said.",
        "m g(s₁, …, s_m) = Σᵢ g(sᵢ, …, sᵢ), all batches of size m, so that neither 1/m nor the L2 term matters",
        "dW = np.outer(delta.sum(axis=1), a.sum(axis=1)) / m  # every δ meets every a",
        "dW = delta @ a.T / m  # each δ meets its own a",
        "the gradient of W1 for a batch is not put together from those of its samples, as the cost is",
        "a batch of one; a mistake that is made in every sample alike, such as a forgotten σ′, is additive too",
    ),
    "GC408": Text(
        "the gradient depends on the order of the samples",
        "The cost is the same for the samples in any order; the gradient of the claim is not. It takes one sample for all, "
        "leaves one out, or pairs the errors of some with the activations of others.",
        "g(s_π1, …, s_πm) = g(s₁, …, s_m)",
        "dW = delta[:, -1:] @ a[:, -1:].T  # the last sample alone",
        "dW = delta @ a.T",
        "the gradient of W1 changes when the samples change places, the cost does not",
        "a batch of one; samples that are equal",
    ),
    "GC409": Text(
        "the gradient does not follow a permutation of the units",
        "Units of a layer have no order: exchange two of them, with their weights in and out, and the cost stays as it is; the "
        "entries of its gradient are exchanged with them. Those of the claim are not: an index is wrong, a matrix is not "
        "transposed, one unit is treated differently.",
        "g(π θ) = π g(θ): rows of Wˡ and bˡ and columns of Wˡ⁺¹ together, inputs with the columns of W¹",
        "db[l] = np.repeat(delta[:1].sum(axis=1, keepdims=True), n, axis=0)  # δ₀ for all",
        "db[l] = delta.sum(axis=1, keepdims=True)",
        "when the units of layer 1 change places, the cost stays as it is and the entries of b1 do not change places with them",
        "layers of one unit; a mistake that is made in every unit alike",
    ),
    "GC410": Text(
        "the gradient does not scale as the cost does",
        "A sample that is repeated k times makes a summed cost k times as large and leaves a mean as it is; the gradient must "
        "do the same, whichever of the two is meant. (A factor c on the cost itself can be tried only where the upstream "
        "gradient is handed over: that is GC207.)",
        "Σ_k w_k C(s, …, s) = 0 for all θ, s repeated k times, implies Σ_k w_k g(s, …, s) = 0",
        "cost = np.sum((a - y) ** 2) / m\ndelta = 2 * (a - y)  # and no 1/m in the gradients",
        "cost = np.sum((a - y) ** 2) / m\ndelta = 2 * (a - y) / m",
        "the gradient of b1 does not scale as the cost does when a sample is repeated",
        "a factor that does not depend on m (½, 2, a sign); a cost whose L2 term depends on m in an unusual way",
    ),
    "GC501": Text(
        "the derivative of an activation is wrong",
        "Every layer with this activation is wrong, the others are right.",
        "sigmoid: a(1 − a) · tanh: 1 − a² · relu: [z > 0] · softplus: sigmoid(z)",
        "def tanh_prime(z):\n    return 1 - np.tanh(z)",
        "def tanh_prime(z):\n    return 1 - np.tanh(z) ** 2",
        "explanation such as act_tanh_one_minus_a; at a kink, the slope that was claimed and those that are right",
        "networks without it; relu at exactly 0, where any slope in [0, 1] is accepted, and none outside",
    ),
    "GC601": Text(
        "the result has less precision than its dtype",
        "The gradient is right to float32, float16 or bfloat16, not to its dtype: its error is that of rounding, no formula's. "
        "There is a cast, a rounding or a difference quotient on the way.",
        "relative error about 6·10⁻⁸ for float32, 5·10⁻⁴ for float16",
        "delta = (W.T @ delta).astype(np.float32) * prime",
        "delta = (W.T @ delta) * prime",
        "it agrees with the trusted gradient to float32, not to float64",
        "every tolerance above 1e-7, as finite differences need",
    ),
    "GC602": Text(
        "overflow or a logarithm of zero where the gradient is finite",
        "Right in the ordinary range; where units saturate, an exponential overflows, or a probability that was rounded to "
        "0 or 1 reaches a logarithm or a division.",
        "softmax(z) = exp(z − max z)/Σ; for a matched pair take δ = a − y and never divide by a",
        "a = np.exp(z) / np.sum(np.exp(z))  # inf/inf from z = 710 on",
        "e = np.exp(z - z.max(axis=0))\na = e / e.sum(axis=0)",
        "finite and right on ordinary cases, NaN or far off on saturated ones",
        "small weights and inputs; the regimes large and saturated are there for it",
    ),
    "GC603": Text(
        "the cost guards its logarithm, the gradient does not",
        "The cost takes ln(p + ε) where the gradient is that of ln p. Both are right on paper, and no fault is counted; where "
        "the probability p of a target comes near ε the gradient is not that of the cost any more: by 1 % at p = 99 ε, by "
        "half at p = ε. A check against differences of this cost fails there, and the cost stops at −ln ε.",
        "∂/∂p ln(p + ε) = 1/(p + ε), not 1/p",
        "cost = -np.sum(y * np.log(p + 1e-7)) / m\ndelta = (p - y) / m",
        "cost = -np.sum(y * log_softmax(z)) / m  # no guard is needed\ndelta = (p - y) / m",
        "the cost takes ln(p + 1e-07), the gradient is that of ln p",
        "probabilities far above ε; a gradient −y/(p + ε) that shares the guard",
    ),
    "GC901": Text(
        "the subject could not be loaded",
        "The file is no Python 3, raises while it is imported, or follows no convention that gradcheck knows.",
        report="SyntaxError, ImportError, or: no convention of gradcheck was recognised",
        right="gradcheck conventions  # shows every convention with a template",
    ),
    "GC902": Text(
        "the subject raised an exception",
        "It crashed on a legal case. Where the forward pass of the same case runs, the backward pass is at fault and the "
        "verdict is fail.",
        "",
        "dA = W @ delta  # shapes do not conform unless the layer is square",
        "dA = W.T @ delta",
        "the traceback of the subject's own lines, and the smallest case that raises",
        "layers of equal width, where a wrong product conforms and gives wrong numbers (GC402)",
    ),
    "GC903": Text(
        "the subject did not answer in time",
        "One evaluation took longer than the time limit.",
        right="gradcheck verify --time-limit 60 FILE",
        report="the limit, and the case",
    ),
    "GC904": Text(
        "the subject needed too much memory",
        "Its process went over the memory limit.",
        "",
        "J = np.zeros((n * m, n * m))  # a full Jacobian",
        "delta = pullback(z, v)  # a product with it",
        "the limit, and the case",
    ),
    "GC905": Text(
        "the subject's process died",
        "It was ended by a signal: a crash in compiled code, or from outside.",
        report="the signal and the tail of its output",
    ),
    "GC906": Text(
        "the subject ended its process",
        "It called exit. A function must return.",
        "",
        "sys.exit(0)",
        "return dW, db",
        "the subject called sys.exit(0)",
    ),
    "GC907": Text(
        "the subject broke the protocol of isolation",
        "It wrote into the channel that carries its answers, or closed it.",
        "",
        "os.write(3, b'...')",
        "print(...)  # is kept apart",
        "what was read instead",
    ),
    "GC951": Text(
        "nothing was checked",
        "No case was run to its end, so nothing is known. This is never a pass.",
        right="gradcheck verify --max-examples 200 FILE",
        report="exit code 4",
    ),
    "GC953": Text(
        "no cost is known: the claim is the gradient of something, up to a factor",
        "The file declares no cost and its gradient is that of none that gradcheck knows. The Jacobian of the claim is "
        "symmetric in every case, so it is the gradient of some function; a wrong factor or sign on all of it would not show. "
        "Give it a cost function (or cost_derivative) for a verdict.",
        report="how many cases kept the law",
        invisible="a factor or a sign on the whole gradient",
    ),
    "GC952": Text(
        "no case had the power to show a fault",
        "Every case was run, but each was inconclusive: gradients drown in rounding, or the subject refused everything.",
        report="how many cases, and the reason for each",
        invisible="saturated units, whose gradients are below the rounding of the rest",
    ),
}


def explain(code: str) -> str:
    """The page of a code such as GC402, or of a fault of a network or layer. Raises UsageError that names the nearest."""
    name = code.strip()
    if name.upper() in CODES:
        return _page(name.upper(), CODES[name.upper()])
    states = {fault.name: fault for fault in STATE}
    if name in CATALOGUE:
        return _fault(CATALOGUE[name])
    if name in states:
        return _state(states[name])
    layers = {fault.name: fault for fault in OF_LAYERS}
    if name in layers:
        return _layer(layers[name])
    near = difflib.get_close_matches(name, [*CODES, *CATALOGUE, *states, *layers], n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    msg = f"unknown code or fault {code!r}{hint} (`gradcheck explain --all` lists them)"
    raise UsageError(msg)


def explain_all() -> str:
    """All codes, then the catalogue family by family, one line a fault."""
    pages = [_page(name, text) for name, text in CODES.items()]
    several = f"{len(CATALOGUE) + len(STATE)} faults of networks, each at one layer or wherever it can stand"
    lines = [f"The catalogue: {several}, and {len(OF_LAYERS)} of layers", ""]
    for family, faults in FAMILIES.items():
        lines += [f"{family} ({len(faults)})", *(f"  {f.name}: {f.title}" for f in faults), ""]
    lines += [f"state ({len(STATE)})", *(f"  {f.name}: {f.title}" for f in STATE), ""]
    lines += [f"layers ({len(OF_LAYERS)})", *(f"  {f.name}: {f.title} ({f.layer})" for f in OF_LAYERS)]
    return "\n\n".join([*pages, "\n".join(lines)]) + "\n"


def _page(name: str, text: Text) -> str:
    parts = [f"{name}: {text.title}", text.meaning]
    parts += [f"Equation\n{_indented(text.equation)}"] if text.equation else []
    parts += [f"Wrong\n{_indented(text.wrong)}"] if text.wrong else []
    parts += [f"{'Right' if text.wrong else 'What to do'}\n{_indented(text.right)}"] if text.right else []
    parts += [f"In a report\n{_indented(text.report)}"] if text.report else []
    parts += [f"Invisible\n{_indented(text.invisible)}"] if text.invisible else []
    return "\n\n".join(parts)


def _fault(fault: Fault) -> str:
    equation = "BP1 at the output, BP2 below" if fault.equation == "activation" else fault.equation
    return "\n\n".join(
        [
            f"{fault.name}: {fault.title}",
            f"Equation\n{_indented(equation)}",
            f"Layers\n{_indented(_layers(fault))}",
            f"What to do\n{_indented(fault.hint)}",
            f"Invisible\n{_indented(fault.hidden_when)}",
        ]
    )


def _layers(fault: Fault) -> str:
    words = {
        "output": "the output layer",
        "hidden": "hidden layers",
        "every": "every layer",
        "upper": "every layer but the first",
        "first": "the first layer, where it is hidden",
        "deep": "hidden layers but the last",
    }
    return words[fault.sites] + (f" with the activation {fault.activation}" if fault.activation else "")


def _state(fault: StateFault) -> str:
    return "\n\n".join(
        [
            f"{fault.name}: {fault.title}",
            f"Effect\n{_indented(fault.kind)}",
            f"What to do\n{_indented(fault.hint)}",
            f"Invisible\n{_indented(fault.hidden_when)}",
        ]
    )


def _layer(fault: LayerFault) -> str:
    return "\n\n".join(
        [
            f"{fault.name}: {fault.title}",
            f"Layer\n{_indented(fault.layer)}",
            f"Wrong\n{_indented(fault.wrong or '(left out)')}",
            f"Right\n{_indented(fault.right)}",
        ]
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
