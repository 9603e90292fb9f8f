"""The child's side, in this process: requests to answers, failures to words, limits it puts on itself."""

import os
import resource
import threading

import pytest

from gradcheck.errors import GradcheckError, SubjectError
from gradcheck.isolation import child, limits, protocol
from gradcheck.isolation.failures import describe, failure

HANDLER = "gradcheck.isolation.handler:create"


def request(step, payload, sequence=1, op=""):
    """What the parent sends."""
    head = {"sequence": sequence, "token": "secret", "activity": "while testing"}
    return head | {"step": step, "op": op, "payload": payload}


def setup(path):
    """The handler's setup for a file."""
    return {"path": str(path), "object": None, "convention": None, "name": "student"}


def test_a_session_imports_sets_up_and_answers(tanh_file):
    """Three steps in a row."""
    session = child._Session()
    assert session.answer(request("import", HANDLER)) == {"ok": None}
    assert session.answer(request("setup", setup(tanh_file()))) == {"ok": None}
    assert session.answer(request("handle", None, op="offer"))["ok"]["convention"] == "functional"


def test_a_file_that_does_not_load_is_a_failure_of_the_subject(tmp_path):
    """With its own words, and the kind `load`."""
    path = tmp_path / "student.py"
    path.write_text("raise RuntimeError('no dataset')\n")
    session = child._Session()
    session.answer(request("import", HANDLER))
    error = session.answer(request("setup", setup(path)))["error"]
    assert error["kind"] == "load"
    assert "no dataset" in error["message"]


def test_the_loop_answers_until_the_parent_hangs_up(tanh_file, monkeypatch):
    """Every answer repeats the number and the secret of its request."""
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: None)
    (requests, ours), (answers, theirs) = os.pipe(), os.pipe()
    channel, replies = child._Channel(requests, theirs), []

    def ask():
        for k, step in enumerate([("import", HANDLER), ("setup", setup(tanh_file())), ("nonsense", None)]):
            os.write(ours, b"".join(protocol.encode(request(*step, sequence=k))))
            replies.append(protocol.receive(answers))
        os.close(ours)

    parent = threading.Thread(target=ask)
    parent.start()
    with pytest.raises(EOFError):
        child._serve(channel)
    parent.join()
    assert [(r["sequence"], r["token"]) for r in replies] == [(k, "secret") for k in range(3)]
    assert [next(iter(r.keys() - {"sequence", "token"})) for r in replies] == ["ok", "ok", "error"]
    channel._close()
    os.close(answers)


def test_an_answer_that_cannot_cross_is_a_broken_protocol():
    """The reason is sent in its place."""
    reply = protocol.decode(b"".join(child._reply(request("handle", None), {"ok": object()})))
    assert reply["error"]["kind"] == "protocol"
    assert "cannot cross" in reply["error"]["message"]


# Failures in words


class Hostile(Exception):
    """An exception whose text raises."""

    def __str__(self):
        raise RuntimeError


class Starving(Exception):
    """An exception whose text takes all the memory."""

    def __str__(self):
        raise MemoryError


@pytest.mark.parametrize(
    ("error", "loading", "kind", "words"),
    [
        (ValueError("no\nsecond line"), False, "exception", "while testing the subject raised ValueError: no"),
        (ValueError(), True, "load", "while testing the subject raised ValueError"),
        (SubjectError("contract", "two costs"), False, "contract", "two costs"),
        (SubjectError("invented", "odd"), False, "exception", "odd"),
        (GradcheckError("not so"), False, "exception", "not so"),
        (SystemExit(0), False, "exit", "the subject called sys.exit(0)"),
        (KeyboardInterrupt(), False, "exit", "the subject raised KeyboardInterrupt"),
        (MemoryError("of arrays"), False, "memory", "the subject ran out of memory: of arrays"),
        (MemoryError(), False, "memory", "the subject ran out of memory"),
        (Hostile(), False, "exception", "an exception that cannot be described"),
        (Starving(), False, "memory", "the subject ran out of memory"),
    ],
)
def test_exceptions_in_words(error, loading, kind, words):
    """Kind and one sentence, whatever the exception does."""
    told = describe(error, "while testing", loading=loading)
    assert (told["kind"], words in told["message"]) == (kind, True)


def test_the_traceback_is_the_subjects():
    """With the place of the last frame that is not ours."""
    try:
        raise KeyError("W9")
    except KeyError as error:
        told = describe(error, "while testing", loading=False)
    assert "(test_child.py, line " in told["message"]
    assert "in test_the_traceback_is_the_subjects" in told["details"]


def test_a_recursion_is_cut_to_its_ends():
    """The first frames and the last."""

    def deeper(n):
        return deeper(n + 1)

    try:
        deeper(0)
    except RecursionError as error:
        told = describe(error, "while testing", loading=False)
    assert told["details"].count("in deeper") <= 18


def test_long_texts_are_cut_in_the_middle():
    """Both ends stay."""
    told = failure("exception", "a" + "x" * 50_000 + "z")
    assert len(told["message"]) < 4000
    assert (told["message"][0], told["message"][-1]) == ("a", "z")


# Limits


@pytest.fixture
def rlimits(monkeypatch):
    """What would have been set, by resource."""
    seen = {}
    monkeypatch.setattr(resource, "setrlimit", lambda which, values: seen.update({which: values}))
    return seen


def test_memory_is_limited_beyond_what_is_in_use(rlimits):
    """numpy's own address space does not count."""
    limits.limit_memory(1 << 20)
    (limit, hard) = rlimits[resource.RLIMIT_AS]
    assert limit == hard > 1 << 20


def test_files_and_descriptors_are_limited(rlimits):
    """No core dumps either."""
    limits.limit_files()
    assert rlimits[resource.RLIMIT_CORE] == (0, 0)
    assert rlimits[resource.RLIMIT_FSIZE][0] <= limits.MAX_FILE_BYTES
    assert rlimits[resource.RLIMIT_NOFILE][0] <= limits.MAX_DESCRIPTORS


def test_a_limit_that_is_lower_already_stays(rlimits, monkeypatch):
    """A hard limit is never raised."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10, 10))
    limits.limit_files()
    assert rlimits[resource.RLIMIT_NOFILE] == (10, 10)


def test_a_platform_may_refuse_a_limit(monkeypatch):
    """macOS does, for some."""

    def refuse(which, values):
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    limits.limit_files()


def test_without_proc_there_is_no_memory_limit(rlimits, monkeypatch):
    """What is in use cannot be measured there."""
    monkeypatch.setattr(limits, "_address_space", lambda: None)
    limits.limit_memory(1 << 20)
    assert rlimits == {}


def test_descriptors_are_moved_out_of_reach():
    """To a high number; the old one is closed."""
    reading, writing = os.pipe()
    high = limits.out_of_reach(reading)
    assert high >= limits.MAX_DESCRIPTORS - 16
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
    os.close(high)
    os.close(writing)


def test_a_descriptor_stays_where_the_limit_is_low(monkeypatch):
    """But is not inherited."""

    def refuse(*arguments):
        raise OSError

    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    monkeypatch.setattr(limits.fcntl, "fcntl", refuse)
    assert limits.out_of_reach(reading) == reading
    assert not os.get_inheritable(reading)
    os.close(reading)
    os.close(writing)
