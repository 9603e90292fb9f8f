"""The wire format: what crosses it comes back the same, and what is no frame is refused at once."""

import contextlib
import json
import math
import os
import struct
import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gradcheck.isolation import protocol
from gradcheck.isolation.protocol import FrameReader, ProtocolError, decode, encode, receive, send

DTYPES = ["?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"]

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**1000), 2**1000) | st.floats() | st.text(st.characters(codec=None))
)
values = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["$array", "$tuple", "$", "$$x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def joined(value):
    return b"".join(encode(value))


def frame(header, payload=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"GCF1" + struct.pack("<I", len(text)) + text + payload


def same(left, right):
    """Equality that sees types, dtypes, shapes, NaN and the sign of zero."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return (left.dtype, left.shape) == (right.dtype, right.shape) and left.tobytes() == right.tobytes()
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right) or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return left == right


@given(values)
@example([float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 0.1])
@example({"$array": ["<f8", [1]], "$tuple": [], "$": (), "": {}})
@example([np.array(1.5), np.empty((0, 3)), np.float32([np.nan, np.inf, -0.0])])
def test_every_value_comes_back_the_same(value):
    """Types, dtypes, shapes and every bit of a float survive the transport."""
    assert same(decode(joined(value)), value)


@given(values, st.integers(1, 7))
def test_a_frame_may_arrive_in_pieces(value, size):
    """The reader copes with pieces of any size and asks for nothing beyond its frame."""
    data, reader = joined(value), FrameReader()
    while not reader.complete:
        target = reader.wanted()[0][:size]
        target[:], data = data[: len(target)], data[len(target) :]
        reader.received(len(target))
    assert data == b""
    assert same(reader.value, value)


@given(values, st.integers(1, 40), st.integers(0, 60))
def test_a_reader_may_read_ahead(value, ahead, size):
    """With a buffer beside its own, whole or in part, the same value comes out."""
    data, reader = memoryview(joined(value)), FrameReader(memoryview(bytearray(ahead)))
    while not reader.complete:
        room = b"".join(reader.wanted())
        count = min(len(room), len(data), max(size, 1))
        rest = data[:count]
        for target in reader.wanted():
            part = rest[: len(target)]
            target[: len(part)] = part
            rest = rest[len(part) :]
        reader.received(count)
        data = data[count:]
    assert not data
    assert same(reader.value, value)


def test_what_follows_a_frame_is_no_part_of_it():
    """A reader that reads ahead counts the bytes of another one."""
    data, reader = joined([1, 2]) + b"xyz", FrameReader(memoryview(bytearray(1000)))
    for target in reader.wanted():
        part, data = data[: len(target)], data[len(target) :]
        target[: len(part)] = part
    reader.received(len(joined([1, 2])) + 3)
    assert (reader.complete, reader.value, reader.beyond) == (True, [1, 2], 3)


def test_a_frame_that_was_not_asked_for_is_not_lost_silently():
    """Read at once with the one before it, it breaks the protocol."""
    reading, writing = os.pipe()
    os.write(writing, joined("one") + joined("two"))
    with pytest.raises(ProtocolError, match="bytes follow the end"):
        receive(reading, memoryview(bytearray(1000)))
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_the_small_arrays_of_a_dict_are_one_block():
    """Sent as one buffer, from whatever lies in memory, and handed out as separate arrays."""
    arrays = {
        "W": np.arange(6.0).reshape(2, 3).T,
        "$b": np.float64([1.5])[::-1],
        "c": np.array(2.0),
        "e": np.empty((0, 2)),
    }
    assert len(encode(arrays)) == 2
    arrived = decode(joined(arrays))
    assert same(arrived, {n: np.ascontiguousarray(a).reshape(a.shape) for n, a in arrays.items()})
    arrived["W"][:] = 7
    assert arrived["$b"].tolist() == [1.5]


@pytest.mark.parametrize(
    "entry", ['["W",-1]', '["W",1.5]', '["W",true]', "[2,3]", '"W"', "[]", '["W",4611686018427387904]']
)
def test_a_block_of_another_form_is_no_frame(entry):
    """Names and sizes, and no more than a frame may hold."""
    header = f'{{"$arrays":[{entry}]}}'.encode()
    with pytest.raises(ProtocolError):
        decode(b"GCF1" + struct.pack("<I", len(header)) + header)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype_arrive_in_c_order(dtype):
    """A strided, transposed or big-endian array arrives contiguous, native and equal."""
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for variant in (array, array.T, array[:, ::-2], array.astype(array.dtype.newbyteorder(">"))):
        arrived = decode(joined(variant))
        np.testing.assert_array_equal(arrived, variant)
        assert arrived.flags.c_contiguous
        assert arrived.dtype == np.dtype(dtype)


def test_an_array_arrives_writeable_and_owning_its_bytes():
    """The receiver may change and resize what it got, as with any array of its own."""
    first, second = decode(joined([np.ones(3), np.ones(3)]))
    first[:] = 7
    assert first.flags.owndata
    assert second.tolist() == [1, 1, 1]


def test_a_large_array_is_not_copied_to_be_sent():
    """The buffer that is written is the memory of the array."""
    array = np.zeros(1000)
    buffer = encode({"W": array})[1]
    array[0] = 1.5
    assert struct.unpack("<d", buffer[:8]) == (1.5,)


@pytest.mark.parametrize("scalar", [np.float64(0.1), np.float32(0.1), np.int8(3), np.bool_(True), np.complex64(1j)])
def test_a_numpy_scalar_arrives_as_an_array_of_its_dtype(scalar):
    """The precision in which a subject answered is not lost."""
    assert same(decode(joined(scalar)), np.asarray(scalar))


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        ({"a": [1, object()]}, "['a'][1]", "builtins.object"),
        ([{"W": np.array([None])}], "[0]['W']", "dtype object"),
        (({1: 2},), "[0]", "dict key is of type int"),
        (np.zeros(2, np.longdouble), "", "astype(numpy.float64)"),
        (np.array(["text"]), "", "dtype <U4"),
        (np.zeros(1, "M8[s]"), "", "datetime64"),
        (np.zeros(1, [("a", "f8")]), "", "not transported"),
        (np.ma.masked_array([1.0], [True]), "", "MaskedArray"),
        ({"n": 1 << 1025}, "['n']", "1026 bits"),
        (b"bytes", "", "builtins.bytes"),
        ({1, 2}, "", "builtins.set"),
    ],
)
def test_what_cannot_cross_is_refused_with_its_place(value, place, reason):
    """The error names where in the structure the culprit is and what is wrong with it."""
    with pytest.raises(TypeError) as caught:
        encode(value)
    assert str(caught.value).startswith(f"cannot send value{place}: ")
    assert reason in str(caught.value)


def test_a_structure_that_contains_itself_is_refused():
    """A cycle ends at the depth limit rather than in a RecursionError."""
    value = []
    value.append(value)
    with pytest.raises(TypeError, match="nested deeper than 64 levels"):
        encode(value)


def test_the_deepest_structure_allowed_comes_back():
    """Both ends agree on the depth limit."""
    value = 1.5
    for _ in range(protocol.MAX_DEPTH):
        value = [value]
    assert decode(joined(value)) == value


def test_a_value_too_large_for_a_frame_is_refused_by_the_sender(monkeypatch):
    """The sender learns of the limits, instead of the receiver."""
    monkeypatch.setattr(protocol, "MAX_PAYLOAD_BYTES", 1000)
    assert decode(joined(np.zeros(125))).size == 125
    with pytest.raises(ProtocolError, match="1008 bytes of arrays exceeds the 1000 allowed"):
        encode([np.zeros(125), np.zeros(1)])
    with pytest.raises(ProtocolError, match="header of 8388610 bytes exceeds"):
        encode("x" * protocol.MAX_HEADER_BYTES)


HOSTILE = {
    "other magic": b"HTTP/1.1 200 OK\r\n",
    "huge header": b"GCF1\xff\xff\xff\xff",
    "no header": b"GCF1\0\0\0\0",
    "not JSON": frame(b"[1,"),
    "not UTF-8": frame(b'"\xff"'),
    "deep JSON": frame(b"[" * 100_000),
    "deeper than allowed": frame(b"[" * 70 + b"]" * 70),
    "huge integer": frame(b"9" * 100_000),
    "object array": frame({"$array": ["|O", [1]]}, bytes(8)),
    "array without a shape": frame({"$array": ["<f8"]}),
    "array as text": frame({"$array": "<f8"}),
    "negative size": frame({"$array": ["<f8", [-1]]}),
    "negative sizes": frame({"$array": ["<f8", [-1, -1]]}, bytes(8)),
    "boolean size": frame({"$array": ["<f8", [True]]}, bytes(8)),
    "fractional size": frame({"$array": ["<f8", [1.0]]}, bytes(8)),
    "unhashable dtype": frame({"$array": [[], [1]]}),
    "huge array": frame({"$array": ["<f8", [1 << 61]]}),
    "huge arrays": frame([{"$array": ["<f8", [1 << 26]]}] * 3),
    "huge empty array": frame({"$array": ["<f8", [0, 1 << 61, 1 << 61]]}),
    "too many dimensions": frame({"$array": ["<f8", [1] * 100]}, bytes(8)),
    "unknown tag": frame({"$pickle": "gASV"}),
    "two tags": frame({"$array": ["<f8", [1]], "$tuple": []}),
    "tuple of a number": frame({"$tuple": 3}),
    "cut short": frame({"$array": ["<f8", [2]]}, bytes(15)),
    "too long": frame({"$array": ["<f8", [2]]}, bytes(17)),
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_frame_is_a_protocol_error(data):
    """No frame makes the reader hang, run code, exhaust memory or raise anything else."""
    with pytest.raises(ProtocolError):
        decode(data)


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_random_bytes_are_a_value_or_a_protocol_error(header, payload):
    """Arbitrary bytes behind a well-formed prefix never raise anything but ProtocolError."""
    for data in (header, frame(header, payload)):
        with contextlib.suppress(ProtocolError):
            decode(data)


@given(values, st.integers(0), st.integers(0, 255))
def test_a_spoilt_frame_is_a_value_or_a_protocol_error(value, position, byte):
    """A flipped byte never raises anything but ProtocolError."""
    data = bytearray(joined(value))
    data[position % len(data)] = byte
    with contextlib.suppress(ProtocolError):
        decode(data)


def test_values_cross_a_pipe_one_after_the_other():
    """Frames sent to a descriptor are received in order, also when they exceed the pipe's buffer and 512 arrays."""
    reading, writing = os.pipe()
    sent = [None, {"W": np.arange(100_000.0)}, [np.float32([i]) for i in range(2000)]]

    def write():
        for value in sent:
            send(writing, value)
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    received = [receive(reading) for _ in sent]
    thread.join()
    assert same(received, sent)
    with pytest.raises(EOFError):
        receive(reading)
    os.close(reading)


def test_a_stream_that_ends_within_a_frame_is_a_protocol_error():
    """The end of the stream is only well-formed between two frames."""
    reading, writing = os.pipe()
    os.write(writing, joined("hello")[:-1])
    os.close(writing)
    with pytest.raises(ProtocolError, match="ended within a frame"):
        receive(reading)
    os.close(reading)
