"""The wire format between gradcheck and a child process: plain values and arrays in length-prefixed frames.

A frame is the four bytes ``GCF1``, the length of the header (uint32, little-endian), the header (JSON), and then the
raw little-endian bytes of every array, in the order in which the header names them. In the header

    {"$array": ["<f8", [2, 3]]}   stands for an array,
    {"$arrays": [["W1", 2, 3], …]}  stands for a dict of float64 arrays whose bytes are one block,
    {"$tuple": [...]}             stands for a tuple, and
    {"$$key": ...}                is a dict whose own key is "$key".

Nothing here is ever unpickled. The bytes to decode may come from an attacker: they cost a bounded amount of memory and
end in a `ProtocolError`, never in anything else. This module must not know processes, subjects or networks.
"""

import json
import math
import os
import struct
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from gradcheck.errors import GradcheckError

MAGIC: Final = b"GCF1"
MAX_HEADER_BYTES: Final = 8 << 20
MAX_PAYLOAD_BYTES: Final = 1 << 30
MAX_DEPTH: Final = 64
MAX_INTEGER_BITS: Final = 1024

_PREFIX: Final = struct.Struct("<4sI")
AHEAD: Final = 1 << 16
"""Bytes that a reader may take at once: a small frame in one call instead of three."""
_BLOCK: Final = (
    1 << 16
)  # bytes up to which the arrays of a dict are copied into one block: an array by itself costs more
_BUFFERS_PER_CALL: Final = 512  # POSIX lets one readv or writev take at least 16, Linux and macOS 1024
_DTYPE_NAMES: Final = (
    *("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"),
    *("<f2", "<f4", "<f8", "<c8", "<c16"),
)
_DTYPES: Final = {name: np.dtype(name) for name in _DTYPE_NAMES}
_FLOAT64: Final = _DTYPES["<f8"]
_BYTE_ORDERS: Final[tuple[Literal["<", ">"], ...]] = ("<", ">")
_NAMES: Final = {dtype.newbyteorder(order): name for name, dtype in _DTYPES.items() for order in _BYTE_ORDERS}
_NESTED: Final = frozenset({list, dict})
_PLAIN_TYPES: Final = frozenset({type(None), bool, float, str})

_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_json = json.JSONDecoder().decode


class ProtocolError(GradcheckError):
    """Bytes that are no frame, or a value too large for one."""


# --- Encoding ---------------------------------------------------------------------------------------------------------


def encode(value: Any) -> list[memoryview]:
    """The buffers of one frame, to be written one after the other; large arrays are not copied.

    Carries None, bool, int, float, str, list, tuple, dict with str keys, and numpy arrays of booleans, integers,
    floats up to 64 bits and complex numbers up to 128. A numpy scalar arrives as a 0-d array, which keeps its dtype.

    Raises TypeError for any other type, naming its place in `value`; ProtocolError when the frame would be too large.
    """
    buffers: list[memoryview] = []
    try:
        header = _to_json(_flatten(value, buffers, 0)).encode("ascii")
    except _Refusal as refusal:
        raise TypeError(str(refusal)) from None
    _require_room(len(header), sum(buffer.nbytes for buffer in buffers))
    return [memoryview(_PREFIX.pack(MAGIC, len(header)) + header), *buffers]


class _Refusal(Exception):
    """A value that cannot cross; collects its place on the way out, so that the way in costs nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = ""

    def inside(self, place: str) -> "_Refusal":
        self.place = place + self.place
        return self

    def __str__(self) -> str:
        return f"cannot send value{self.place[:500]}: {self.reason}"


def _flatten(value: Any, buffers: list[memoryview], depth: int) -> Any:
    kind = type(value)
    if kind in _PLAIN_TYPES:
        return value
    flatten = _FLATTENERS.get(kind)
    if flatten is not None and depth < MAX_DEPTH:
        return flatten(value, buffers, depth + 1)
    if flatten is not None:
        raise _Refusal(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, np.generic):
        return _flatten_array(np.asarray(value), buffers, depth)
    raise _Refusal(
        f"its type is {kind.__module__}.{kind.__qualname__}, which is not transported; expected None, bool, int, "
        "float, str, list, tuple, dict or numpy.ndarray (not a subclass of them)"
    )


def _flatten_int(value: int, _buffers: list[memoryview], _depth: int) -> int:
    if value.bit_length() > MAX_INTEGER_BITS:
        raise _Refusal(f"an int of {value.bit_length()} bits is longer than the {MAX_INTEGER_BITS} bits allowed")
    return value


def _flatten_list(value: list[Any], buffers: list[memoryview], depth: int) -> list[Any]:
    flat = []
    for index, item in enumerate(value):
        try:
            flat.append(_flatten(item, buffers, depth))
        except _Refusal as refusal:
            raise refusal.inside(f"[{index}]") from None
    return flat


def _flatten_tuple(value: tuple[Any, ...], buffers: list[memoryview], depth: int) -> dict[str, Any]:
    return {"$tuple": _flatten_list(list(value), buffers, depth)}


def _flatten_dict(value: dict[Any, Any], buffers: list[memoryview], depth: int) -> dict[str, Any]:
    if len(value) > 1 and _is_block(value):
        block = np.concatenate(list(value.values()), axis=None)
        if block.size:
            buffers.append(block.view(np.uint8).data)
        return {"$arrays": [[key, *array.shape] for key, array in value.items()]}
    flat = {}
    for key, item in value.items():
        if type(key) is not str:
            raise _Refusal(f"a dict key is of type {type(key).__name__}; expected str")
        if type(item) in _PLAIN_TYPES and not key.startswith("$"):
            flat[key] = item
            continue
        try:
            flat["$" + key if key.startswith("$") else key] = _flatten(item, buffers, depth)
        except _Refusal as refusal:
            raise refusal.inside(f"[{key!r:.100}]") from None
    return flat


def _is_block(value: dict[Any, Any]) -> bool:
    """Whether a dict holds nothing but small arrays of float64."""
    size = 0
    for key, array in value.items():
        if type(array) is not np.ndarray or array.dtype != _FLOAT64 or type(key) is not str:
            return False
        size += array.nbytes
    return size <= _BLOCK


def _flatten_array(value: npt.NDArray[Any], buffers: list[memoryview], _depth: int) -> dict[str, Any]:
    name = _NAMES.get(value.dtype)
    if name is None:
        raise _Refusal(
            f"an array of dtype {value.dtype} is not transported; expected bool, int, uint, float16, float32, float64, "
            "complex64 or complex128. Convert it first, for example with .astype(numpy.float64)"
        )
    if value.size:
        contiguous = np.asarray(value, dtype=_DTYPES[name], order="C")
        buffers.append(contiguous.ravel().view(np.uint8).data)
    return {"$array": [name, value.shape]}


_FLATTENERS: Final[dict[type, Callable[[Any, list[memoryview], int], Any]]] = {
    int: _flatten_int,
    list: _flatten_list,
    tuple: _flatten_tuple,
    dict: _flatten_dict,
    np.ndarray: _flatten_array,
}


def _require_room(header: int, payload: int) -> None:
    if header > MAX_HEADER_BYTES:
        msg = f"a frame header of {header} bytes exceeds the {MAX_HEADER_BYTES} allowed; send long lists as arrays"
        raise ProtocolError(msg)
    if payload > MAX_PAYLOAD_BYTES:
        msg = f"a frame with {payload} bytes of arrays exceeds the {MAX_PAYLOAD_BYTES} allowed; send it in parts"
        raise ProtocolError(msg)


# --- Decoding ---------------------------------------------------------------------------------------------------------


class FrameReader:
    """Takes one frame in pieces of any size: read bytes into `wanted()`, say with `received` how many there were.

    It asks for no byte beyond its frame, unless it has a buffer `ahead`: then the first read may fill that too, and `beyond`
    counts the bytes that followed the frame and are lost. `value` holds the decoded value once `complete` is true.
    """

    def __init__(self, ahead: memoryview | None = None) -> None:
        self.complete = False
        self.beyond = 0
        self._ahead = ahead
        self.value: Any = None
        self._prefix = bytearray(_PREFIX.size)
        self._header = bytearray()
        self._pending = [memoryview(self._prefix)]
        self._stage = "prefix"

    @property
    def begun(self) -> bool:
        """Whether a part of the frame has arrived."""
        return self._stage != "prefix" or len(self._pending[0]) < _PREFIX.size

    def wanted(self) -> list[memoryview]:
        """The buffers that the next bytes belong into, in order; empty exactly when the frame is complete."""
        if self._ahead is not None and self._stage == "prefix":
            return [*self._pending, self._ahead]
        return self._pending[:_BUFFERS_PER_CALL]

    def received(self, count: int) -> None:
        """Note that `count` bytes were written into the wanted buffers; raises ProtocolError for what is no frame."""
        beyond = count - len(self._pending[0]) if self._stage == "prefix" else 0
        if beyond > 0 and self._ahead is not None:
            self._take(count - beyond)
            self._spread(self._ahead[:beyond])
        else:
            self._take(count)

    def _spread(self, rest: memoryview) -> None:
        """Put bytes that were read ahead where they belong."""
        while rest:
            if not self._pending:
                self.beyond = len(rest)
                return
            target = self._pending[0]
            count = min(len(target), len(rest))
            target[:count] = rest[:count]
            rest = rest[count:]
            self._take(count)

    def _take(self, count: int) -> None:
        consume(self._pending, count)
        if not self._pending and self._stage == "prefix":
            self._finish_prefix()
        elif not self._pending and self._stage == "header":
            self._finish_header()
        self.complete = not self._pending

    def _finish_prefix(self) -> None:
        magic, length = _PREFIX.unpack(self._prefix)
        if magic != MAGIC:
            raise ProtocolError(f"a frame begins with {MAGIC!r}, but these bytes begin with {bytes(self._prefix)!r}")
        _require_room(length, 0)
        if not length:
            raise ProtocolError("a frame without a header")
        self._header = bytearray(length)
        self._pending.append(memoryview(self._header))
        self._stage = "header"

    def _finish_header(self) -> None:
        try:
            tree = _from_json(self._header.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"the header of a frame is not JSON: {error}") from None
        self.value = _Rebuilder(self._pending).rebuild(tree, 0)
        self._stage = "payload"


class _Rebuilder:
    """Turns the header back into a value, with empty arrays whose bytes are appended to `buffers` to be filled."""

    def __init__(self, buffers: list[memoryview]) -> None:
        self._buffers = buffers
        self._payload = 0

    def rebuild(self, tree: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ProtocolError(f"a frame is nested deeper than {MAX_DEPTH} levels")
        if type(tree) is list:
            return [self.rebuild(item, depth + 1) for item in tree]
        if type(tree) is dict:
            return self._rebuild_dict(tree, depth)
        return tree

    def _rebuild_dict(self, tree: dict[str, Any], depth: int) -> Any:
        if "$array" in tree and len(tree) == 1:
            return self._array(tree["$array"])
        if "$arrays" in tree and len(tree) == 1:
            return self._block(tree["$arrays"])
        if "$tuple" in tree and len(tree) == 1 and type(tree["$tuple"]) is list:
            return tuple(self.rebuild(item, depth + 1) for item in tree["$tuple"])
        return {
            key if key[:1] != "$" else _own_key(key): self.rebuild(item, depth + 1) if type(item) in _NESTED else item
            for key, item in tree.items()
        }

    def _array(self, description: Any) -> npt.NDArray[Any]:
        if not _is_description(description):
            raise ProtocolError(f"a frame describes an array as {description!r:.200}; expected a dtype and a shape")
        return self._allocate(_DTYPES[description[0]], description[1])

    def _block(self, description: Any) -> dict[str, npt.NDArray[Any]]:
        if type(description) is not list or not all(map(_is_entry, description)):
            raise ProtocolError(f"a frame describes a dict of arrays as {description!r:.200}; expected names and sizes")
        sizes = [math.prod(shape) for _, *shape in description]
        block, start, arrays = self._allocate(_FLOAT64, [sum(sizes)]), 0, {}
        for (name, *shape), size in zip(description, sizes, strict=True):
            arrays[name] = block[start : start + size].reshape(shape)
            start += size
        return arrays

    def _allocate(self, dtype: np.dtype[Any], shape: list[int]) -> npt.NDArray[Any]:
        self._payload += dtype.itemsize * math.prod(shape)
        _require_room(0, self._payload)
        try:
            array = np.empty(shape, dtype)
        except (ValueError, MemoryError) as error:
            raise ProtocolError(f"an array of shape {shape!s:.200} cannot be made: {error}") from None
        if array.size:
            self._buffers.append(array.ravel().view(np.uint8).data)
        return array


def _is_description(value: Any) -> bool:
    if type(value) is not list or len(value) != 2 or type(value[0]) is not str or type(value[1]) is not list:
        return False
    return value[0] in _DTYPES and all(type(size) is int and 0 <= size < 1 << 62 for size in value[1])


def _is_entry(value: Any) -> bool:
    if type(value) is not list or not value or type(value[0]) is not str or len(value) > MAX_DEPTH:
        return False
    return all(type(size) is int and 0 <= size < 1 << 62 for size in value[1:])


def _own_key(key: str) -> str:
    if not key.startswith("$$"):
        raise ProtocolError(f"a frame has the unknown tag {key!r:.100}")
    return key[1:]


# --- Whole frames -----------------------------------------------------------------------------------------------------


def decode(frame: bytes | bytearray | memoryview) -> Any:
    """The value in the bytes of exactly one frame; ProtocolError when they are fewer, more, or no frame."""
    rest = memoryview(frame)
    reader = FrameReader()
    while not reader.complete:
        if not rest:
            raise ProtocolError("the frame is cut short")
        target = reader.wanted()[0]
        count = min(len(target), len(rest))
        target[:count] = rest[:count]
        rest = rest[count:]
        reader.received(count)
    if rest:
        raise ProtocolError(f"{len(rest)} bytes follow the end of the frame")
    return reader.value


def send(descriptor: int, value: Any) -> None:
    """Write one frame to a blocking file descriptor."""
    pending = encode(value)
    while pending:
        write_some(descriptor, pending)


def receive(descriptor: int, ahead: memoryview | None = None) -> Any:
    """Read one frame from a blocking file descriptor; EOFError when it ended before the frame began.

    ahead: a buffer for reading at once, where no other frame may follow before this one is answered.
    """
    reader = FrameReader(ahead)
    while not reader.complete:
        if not read_some(descriptor, reader):
            raise ProtocolError("the stream ended within a frame") if reader.begun else EOFError
    if reader.beyond:
        raise ProtocolError(f"{reader.beyond} bytes follow the end of the frame")
    return reader.value


def write_some(descriptor: int, pending: list[memoryview]) -> None:
    """Write as many of the pending bytes as the descriptor takes at once, and drop those from `pending`."""
    consume(pending, os.writev(descriptor, pending[:_BUFFERS_PER_CALL]))


def read_some(descriptor: int, reader: FrameReader) -> int:
    """Hand the reader as many bytes as the descriptor gives at once; returns how many, 0 at the end of the stream."""
    count = os.readv(descriptor, reader.wanted())
    if count:
        reader.received(count)
    return count


def consume(pending: list[memoryview], count: int) -> None:
    """Drop the first `count` bytes from a list of buffers."""
    done = 0
    while done < len(pending) and count >= len(pending[done]):
        count -= len(pending[done])
        done += 1
    del pending[:done]
    if count:
        pending[0] = pending[0][count:]
