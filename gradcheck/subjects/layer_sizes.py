"""Sizes on which a layer class is tried: what its constructor is handed, and the shapes that its input then has.

A regime is one kind of layer: rows of numbers, images, sequences, tokens, costs. Values are looked up by the usual spellings
of a constructor's parameters; where a name says nothing, by its position. It must not run anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def spelled(words: str) -> tuple[str, ...]:
    """Words that a space parts."""
    return tuple(words.split())


def _spelled(words: str) -> frozenset[str]:
    return frozenset(words.split())


INPUTS, OUTPUTS = 4, 3
CHANNELS, FILTERS, STEPS, WORDS = 2, 3, 5, 6
STATES = {
    "h": ("h", "h_prev", "hprev", "hidden", "h0", "prev_h", "prev_state", "state"),
    "c": ("c", "c_prev", "cprev", "cell", "c0", "prev_c"),
}
TARGETS = _spelled(
    "t ts ys y target targets label labels y_true ytrue truth actual y_actual expected true real tgt gt y_t desired"
)

Shapes = dict[str, tuple[int, ...]]
Family = tuple[Shapes, ...]


@dataclass(frozen=True, slots=True)
class Regime:
    """values: what a constructor's parameter may be, by name and position. families: shapes of the inputs, by their names.

    draws: how the inputs are drawn that are not Gaussian or not differentiated.
    """

    name: str
    values: Callable[[str, int], list[Any]]
    families: Callable[[tuple[str, ...]], Iterator[Family]]
    draws: tuple[Mapping[str, str], ...] = ({},)


_IN = _spelled(
    "in input inputs nin indim insize inputsize inputdim infeatures ninput ninputs fanin inputnodes inchannels "
    "numinputs insz d dim size features numfeatures nfeatures inputfeatures inputlen dmodel embeddim hiddenin nx dx "
    "inshape inputshape ndim"
)
_OUT = _spelled(
    "out output outputs nout outdim outsize outputsize outputdim outfeatures noutput noutputs fanout units hidden "
    "hiddensize hiddendim neurons nneurons outchannels numneurons h nhidden numoutputs numunits nunits nh "
    "hiddenunits dh statesize outputlen"
)
_KERNELS = _spelled("w weights weight kernel kernels filter filters")
_BIASES = _spelled("b bias biases")
_SCALES = _spelled("gamma beta scale shift")
_PROBABILITIES = _spelled("p rate prob keepprob keep dropout dropoutrate droprate dropoutratio pkeep ratio pdrop")
_ACTIVATIONS = _spelled("activation act activationfn activationfunction func f fn nonlinearity g phi")
_DERIVATIVES = _spelled(
    "activationprime dactivation activationderivative derivative prime df dfunc dact activationgrad actprime "
    "actderivative fprime activationd dfn deriv dactivationfn funcprime grad"
)
_HEADS = _spelled("heads numheads nheads nhead head h")
_LENGTHS = _spelled(
    "t steps seqlen maxlen sequencelength blocksize seqlength timesteps nsteps maxseqlen seq length bptttruncate"
)
_SHAPES = _spelled(
    "xdim inputshape inshape inputdim inputdims shape imageshape dimin indim inputsize xshape imgshape dims"
)
_CHANNELS = _spelled(
    "inchannels channels inchannel nc c inputchannels ninchannels depthin inputdepth cin numchannels channel "
    "nchannels inplanes infeatures numfeatures features dim d in inc ninputs nin nfeatures inputchannel indepth"
)
_FILTERS = _spelled(
    "nfilter nfilters numfilters numfilter filters outchannels outchannel depth cout nkernels numkernels outplanes "
    "outfeatures f noutchannels out outputchannels units kernels nout outc filternum filtercount k outputchannel "
    "outdepth numberoffilters noffilters"
)
_KERNEL_SIZES = _spelled(
    "kernelsize filtersize ksize size poolsize windowsize window kernel fieldsize hfilter wfilter kernelh kernelw "
    "poolh poolw fh fw pool kh kw filterh filterw receptivefield kernelheight kernelwidth filterheight filterwidth "
    "kernelshape filtershape hkernel wkernel poolheight poolwidth kernelsizes poolshape h w hh ww filterdim hpool "
    "wpool pooldim kerneldim sizefilter downsample"
)
_STRIDES, _PADS = _spelled("stride strides s st step steps"), _spelled("pad padding p pads paddings")
_WORDS = _spelled(
    "vocabsize numembeddings nwords vocab inputdim v vocabulary vocabularysize nvocab num numwords in n dictsize "
    "wordcount ntokens"
)


def varied(name: str, default: Any) -> Any:
    """Another stride or padding than the lazy one that a first object of a class of images has; None for other parameters."""
    short = plain(name)
    if short in ("stride", "strides"):
        return 1 if default == 2 else 2
    return 1 if short in ("pad", "padding") and not isinstance(default, str) else None


def plain(name: str) -> str:
    """A parameter's name without underscores, capitals and the word layer."""
    return re.sub(r"layer|_", "", name.lower())


def _tanh(z: Any) -> Any:
    return np.tanh(z)


def _tanh_prime(z: Any) -> Any:
    return 1 - np.tanh(z) ** 2


def _common(name: str) -> list[Any]:
    """What does not depend on the kind of layer."""
    if name in _DERIVATIVES:
        return [_tanh_prime]
    if name in _ACTIVATIONS:
        return [_tanh, "tanh", None]
    if name in _PROBABILITIES:
        return [0.5]
    if name in ("alpha", "slope", "negativeslope", "leak"):
        return [0.1]
    if name in ("eps", "epsilon"):
        return [1e-5]
    if name in ("momentum", "decay"):
        return [0.9]
    if name in ("lr", "learningrate", "eta"):
        return [0.1]
    if name in ("name", "id", "label"):
        return ["layer", 1]
    if name in ("bias", "usebias", "trainable", "istraining", "training", "train"):
        return [True]
    return []


def _recurrent(short: str) -> list[Any]:
    """Weights of a recurrent layer with one, three or four gates."""
    width = INPUTS if short in _OF_X else OUTPUTS if short in _OF_H else 0
    return [_ramp(width, gates * OUTPUTS) for gates in (1, 4, 3)] if width else []


_OF_X = _spelled("wx wxh wih wix xw weightih weightsx wxs u wxg")
_OF_H = _spelled("wh whh whx hw weighthh weightsh whs wr")


def _dense(name: str, position: int) -> list[Any]:
    short = plain(name)
    ramp = np.linspace(-1.0, 1.1, INPUTS * OUTPUTS)
    if weights := _recurrent(short):
        return weights
    if short in _KERNELS:
        return [ramp.reshape(INPUTS, OUTPUTS), ramp.reshape(OUTPUTS, INPUTS)]
    if short in _BIASES:
        biases = [ramp[:OUTPUTS], ramp[:OUTPUTS].reshape(1, -1), ramp[:OUTPUTS].reshape(-1, 1)]
        return [*biases, *(_ramp(gates * OUTPUTS) for gates in (4, 3))]
    if short in _SCALES:
        return [ramp[:INPUTS], ramp[:INPUTS].reshape(1, -1)]
    if short in _IN:
        return [INPUTS]
    if short in _OUT:
        return [OUTPUTS]
    return _common(short) or [(INPUTS, OUTPUTS)[min(position, 1)], 2, 0.5]


def _dense_shapes(names: tuple[str, ...]) -> Iterator[Family]:
    """Several numbers of samples, or one sample a call."""
    sizes = {n: OUTPUTS if n in ("h", "c") else INPUTS for n in names}
    batches = (5, 1, 3)
    yield tuple({n: (m, k) for n, k in sizes.items()} for m in batches)
    yield tuple({n: (k, m) for n, k in sizes.items()} for m in batches)
    yield ({n: (1, k) for n, k in sizes.items()},)
    yield ({n: (k, 1) for n, k in sizes.items()},)
    yield ({n: (k,) for n, k in sizes.items()},)


def _image_values(h: int, w: int) -> Callable[[str, int], list[Any]]:
    c, f, size = CHANNELS, FILTERS, CHANNELS * h * w

    def values(name: str, position: int) -> list[Any]:
        short = plain(name)
        if short in ("outputshape", "outshape", "newshape", "target"):
            return [(size, 1), (1, size), (size,), (-1,)]
        if short in _SHAPES:
            return [(c, h, w), (h, w, c), (h, w), (3, c, h, w), (3, h, w, c)]
        if short in _KERNELS - {"filters", "kernels", "kernel", "filter"}:
            return [_ramp(f, c, 3, 2), _ramp(f, c, 3, 3), _ramp(3, 3, c, f)]
        if short in _BIASES:
            return [_ramp(f), _ramp(f, 1), _ramp(1, f, 1, 1), _ramp(1, 1, 1, f), True]
        if short in _SCALES:
            return [_ramp(c), _ramp(1, c, 1, 1), _ramp(1, 1, 1, c), _ramp(size), _ramp(1, size)]
        if short in _CHANNELS:
            return [c] + [(c, h, w)] * (short in ("dim", "in"))
        if short in _STRIDES:
            return [1, 2, (1, 1), (2, 2)]
        if short in _PADS:
            return [0, 1, "valid", "same", (0, 0)]
        if short in _FILTERS:
            return [f]
        if short in _KERNEL_SIZES:
            return [3, 2, (3, 2), (2, 2), (3, 3)]
        return _common(short) or [(c, f, 3)[min(position, 2)], 2, 1]

    return values


def _ramp(*shape: int) -> Any:
    return np.linspace(-1.0, 1.1, int(np.prod(shape))).reshape(shape)


def _image_shapes(h: int, w: int) -> Callable[[tuple[str, ...]], Iterator[Family]]:
    def shapes(names: tuple[str, ...]) -> Iterator[Family]:
        images: tuple[tuple[int, ...], ...] = ((CHANNELS, h, w), (h, w, CHANNELS), (h, w))
        for image in images[:2]:
            yield tuple(dict.fromkeys(names, (m, *image)) for m in (2, 1, 3))
        for image in images:
            yield (dict.fromkeys(names, image),)
        yield tuple(dict.fromkeys(names, (m, CHANNELS, h)) for m in (2, 1, 3))

    return shapes


def _sequence(name: str, position: int) -> list[Any]:
    short = plain(name)
    if short in _LENGTHS:
        return [STEPS]
    if short in _HEADS - {"h"}:
        return [2]
    return _dense(name, position)


def _sequence_shapes(names: tuple[str, ...]) -> Iterator[Family]:
    k = INPUTS
    yield tuple(dict.fromkeys(names, (m, STEPS, k)) for m in (2, 1, 3))
    yield tuple(dict.fromkeys(names, (STEPS, m, k)) for m in (2, 1))
    yield (dict.fromkeys(names, (STEPS, k)),)
    yield (dict.fromkeys(names, (STEPS, k, 1)),)


def _tokens(name: str, position: int) -> list[Any]:
    short = plain(name)
    if short in _KERNELS:
        return [_ramp(WORDS, OUTPUTS)]
    if short in _WORDS:
        return [WORDS]
    if short in _OUT | _IN | {"embeddingdim", "embedsize", "embeddingsize", "embdim", "vectorsize", "dmodel"}:
        return [OUTPUTS]
    return _common(short) or [(WORDS, OUTPUTS)[min(position, 1)]]


def _token_shapes(names: tuple[str, ...]) -> Iterator[Family]:
    yield tuple(dict.fromkeys(names, (m, STEPS)) for m in (2, 1, 3))
    yield (dict.fromkeys(names, (STEPS,)),)


def _cost_shapes(names: tuple[str, ...]) -> Iterator[Family]:
    yield tuple(dict.fromkeys(names, (m, INPUTS)) for m in (5, 1, 3))
    yield tuple({n: (m, INPUTS) if n == "x" else (m,) for n in names} for m in (5, 2, 3))
    yield tuple(dict.fromkeys(names, (INPUTS, m)) for m in (5, 1, 3))
    yield tuple({n: (m, STEPS, INPUTS) if n == "x" else (m, STEPS) for n in names} for m in (2, 1, 3))


DENSE = Regime("dense", _dense, _dense_shapes)
IMAGES = tuple(Regime("images", _image_values(h, w), _image_shapes(h, w)) for h, w in ((7, 5), (6, 4)))
SEQUENCES = Regime("sequences", _sequence, _sequence_shapes)
TOKENS = Regime("tokens", _tokens, _token_shapes, ({"x": f"integers {WORDS}"},))
COSTS = Regime(
    "costs",
    _dense,
    _cost_shapes,
    (
        {"t": "one_hot"},
        {"t": "one_hot", "x": "unit"},
        {"t": f"classes {INPUTS}"},
        {"t": f"classes {INPUTS}", "x": "unit"},
    ),
)
_FIRST: Sequence[tuple[str, tuple[Regime, ...]]] = (
    (r"conv|pool|2d|spatial|flatten|reshape|image", IMAGES),
    (r"embed|token", (TOKENS,)),
    (r"attention|lstm|gru|rnn|recurrent|sequence|transformer|multihead|mha", (SEQUENCES,)),
)


def regimes(name: str, inputs: tuple[str, ...]) -> tuple[Regime, ...]:
    """The regimes to try for a class of this name, the likeliest first."""
    if "t" in inputs:
        return (COSTS,)
    rest = (DENSE, *IMAGES, SEQUENCES, TOKENS)
    if len(inputs) > 1:
        return (DENSE, *IMAGES)
    first = next((r for pattern, r in _FIRST if re.search(pattern, name, re.I)), ())
    return (*first, *(r for r in rest if r not in first))
