"""A worker: whatever the subject does, a request ends in time with an answer or the right `SubjectError`."""

import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gradcheck.errors import SubjectError, UsageError
from gradcheck.isolation import ProtocolError, Worker
from gradcheck.isolation.worker import ACTIVITIES

HERE = Path(__file__).parent
MIB = 1 << 20


def make_worker(setup=None, **options):
    options = {"time_limit": 5.0, "python_path": [HERE]} | options
    return Worker("handlers:make", setup or {}, **options)


def failure(op, payload=None, **options):
    """The error with which a fresh worker answers one request, and whether the worker survives it."""
    with make_worker(**options) as worker:
        with pytest.raises(SubjectError) as caught:
            worker.request(op, payload)
        if worker.alive:
            assert worker.request("echo", 1) == 1
        return caught.value, worker.alive


def fatal_timeout(op):
    """Assert that an operation ends in a time-out soon after its limit."""
    with make_worker(time_limit=0.3) as worker:
        begin = time.monotonic()
        with pytest.raises(SubjectError) as caught:
            worker.request(op, None)
        assert time.monotonic() - begin < 1.5
        assert not worker.alive
    assert caught.value.kind == "timeout"
    assert f"while answering '{op}' the subject did not finish within 0.3 s" in caught.value.message
    return caught.value


def exists(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone_soon(pid):
    end = time.monotonic() + 3
    while exists(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not exists(pid)


@pytest.fixture
def worker():
    with make_worker() as worker:
        yield worker


# --- Answers ----------------------------------------------------------------------------------------------------------


def test_a_request_is_answered(worker):
    """Values and arrays go there and come back."""
    answer = worker.request("echo", {"W": np.arange(6.0).reshape(2, 3), "n": [1, None, "π"]})
    assert answer["W"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert answer["n"] == [1, None, "π"]


def test_a_large_array_goes_there_and_back(worker):
    """A payload far beyond the pipe's buffer does not lock the two sides up."""
    array = np.random.default_rng(0).random(2_000_000)
    np.testing.assert_array_equal(worker.request("echo", array), array)


def test_a_thousand_arrays_go_there_and_back(worker):
    """More arrays than one system call takes are sent in several."""
    answer = worker.request("echo", [np.array([i]) for i in range(3000)])
    assert [int(item[0]) for item in answer] == list(range(3000))


def test_the_subject_may_resize_its_arrays(worker):
    """What arrives in the child owns its memory, as the subject may expect of an array."""
    assert worker.request("fill_array", np.ones(2)).tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_random_numbers_are_the_same_in_every_request(worker):
    """The global generators are reseeded, so that the same question has the same answer."""
    assert worker.request("draw", None) == pytest.approx(worker.request("draw", None), abs=0)


def test_warnings_of_the_subject_are_silent(worker):
    """Overflow and warnings neither fail a request nor fill the output."""
    assert np.isnan(worker.request("warn_and_overflow", None)).all()
    assert worker.output_tail() == ""


def test_what_the_subject_prints_is_kept(worker):
    """Both streams are captured in order, control characters spelt out, also without a newline at the end."""
    worker.request("print_lines", None)
    assert worker.output_tail() == "to stdout\nto stderr\nno newline: \\x1b[31m"


def test_a_flood_of_output_is_drained_and_cut(worker):
    """A hundred megabytes on each stream block nothing and leave a few KiB."""
    assert worker.request("print_flood", 100_000_000) == 100_000_000
    tail = worker.output_tail()
    assert len(tail) < 10_000
    assert re.search(r"aaaa\n… 1999\d+ bytes left out …\nbbbb", tail)
    assert tail.endswith("b\nend\n")


def test_the_standard_input_is_empty(worker):
    """Reading it ends at once; `input` raises EOFError."""
    assert worker.request("read_stdin", None) == ""
    with pytest.raises(SubjectError, match="raised EOFError"):
        worker.request("input", None)


def test_the_child_sees_a_clean_environment(worker, monkeypatch):
    """One BLAS thread, a fixed hash seed, no display, and none of the secrets that happen to be set."""
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("DISPLAY", ":0")
    worker.restart()
    environment = worker.request("environment", None)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["MPLBACKEND"] == "Agg"
    assert environment.keys().isdisjoint({"GITHUB_TOKEN", "DISPLAY"})
    assert worker.request("argv", None) == ["subject"]


def test_the_child_runs_in_the_folder_given(tmp_path):
    """The working folder is the one asked for."""
    with make_worker(cwd=tmp_path) as worker:
        assert worker.request("cwd", None) == str(tmp_path)


def test_modules_next_to_the_subject_can_be_imported(tmp_path):
    """The extra import path is for the subject's own project."""
    (tmp_path / "lonely_module.py").write_text(
        "class Handler:\n    def handle(self, op, payload):\n        return op\n"
    )
    with Worker("handlers:make_from_project", {}, python_path=[tmp_path, HERE]) as worker:
        assert worker.request("hello", None) == "hello"


def test_a_subject_may_replace_the_standard_streams(worker):
    """The loop does not lean on what a subject is likely to replace."""
    assert worker.request("replace_streams", None) == "answered"
    assert worker.request("echo", 1) == 1


def test_a_subject_that_spoils_the_interpreter_is_a_protocol_error(worker):
    """Replacing builtins and functions of numpy ends the child, not the parent."""
    with pytest.raises(SubjectError) as caught:
        worker.request("break_interpreter", None)
    assert caught.value.kind == "protocol"


# --- Exceptions -------------------------------------------------------------------------------------------------------


def test_an_exception_is_reported_with_the_frames_of_the_subject():
    """The message says what and where; the details are the traceback without gradcheck's own frames."""
    error, alive = failure("divide")
    assert alive
    assert error.kind == "exception"
    assert re.fullmatch(
        r"while answering 'divide' the subject raised ZeroDivisionError: division by zero "
        r"\(handlers.py, line \d+, in divide\)",
        error.message,
    )
    assert error.details.startswith("Traceback (most recent call last):\n")
    assert "return 1 / 0" in error.details
    assert "child.py" not in error.details


def test_an_endless_recursion_is_an_exception_with_a_short_traceback():
    """A RecursionError is the subject's exception, of which the first and last frames are shown."""
    error, alive = failure("deep_error")
    assert (error.kind, alive) == ("exception", True)
    assert "RecursionError" in error.message
    assert error.details.count("in _recurse") < 20


def test_an_exception_that_cannot_be_printed_is_still_reported():
    """An exception whose __str__ raises does not break the report."""
    error, _ = failure("raise_unprintable")
    assert error.kind == "exception"


def test_an_endless_message_is_cut():
    """Fifty megabytes of message become a few hundred characters."""
    error, _ = failure("raise_endless_message")
    assert len(error.message) < 1000
    assert len(error.details) < 10_000


def test_control_characters_in_a_message_are_spelt_out():
    """A subject cannot clear the screen of its reader."""
    error, _ = failure("raise_with_escape")
    assert "\\x1b[2Jgone" in error.message
    assert "\x1b" not in error.message + error.details


def test_a_subject_error_of_the_handler_passes_unchanged():
    """Adapters describe a broken contract themselves."""
    error, _ = failure("raise_subject_error")
    assert (error.kind, error.message, error.details) == ("contract", "the gradient has no name", "W1")


@pytest.mark.parametrize(
    ("op", "place"), [("object", "['ok']['gradients']['W'][0]"), ("object_array", "['ok']: an array of dtype object")]
)
def test_an_answer_that_cannot_cross_is_a_protocol_error(op, place):
    """The message names the place of the object; the worker lives on."""
    error, alive = failure(op)
    assert (error.kind, alive) == ("protocol", True)
    assert place in error.message


def test_a_payload_that_cannot_cross_is_the_callers_error(worker):
    """It is refused before anything is sent, and the worker lives on."""
    with pytest.raises(TypeError, match=r"\['payload'\]\['f'\]"):
        worker.request("echo", {"f": print})
    with pytest.raises(ProtocolError, match="exceeds"):
        worker.request("echo", "x" * (9 * MIB))
    assert worker.request("echo", 1) == 1


# --- Exit, crash, memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3, None, "bye"])
def test_sys_exit_is_no_success(code):
    """A subject that calls sys.exit has failed, whatever the code."""
    error, alive = failure("exit", code)
    assert (error.kind, alive) == ("exit", True)
    assert error.message == f"while answering 'exit' the subject called sys.exit({code!r})"


@pytest.mark.parametrize("code", [0, 3])
def test_os_exit_is_no_success(code):
    """A subject that ends its process has failed, whatever the code."""
    error, alive = failure("os_exit", code)
    assert (error.kind, alive) == ("exit", False)
    assert f"ended its process with exit code {code}" in error.message


def test_a_keyboard_interrupt_of_the_subject_does_not_interrupt_us():
    """KeyboardInterrupt raised by the subject is its own failure."""
    error, alive = failure("interrupt")
    assert (error.kind, alive) == ("exit", True)


def test_a_segmentation_fault_is_a_crash_with_the_stack():
    """The message names the signal; the details hold what faulthandler printed."""
    error, alive = failure("segfault")
    assert (error.kind, alive) == ("crash", False)
    assert error.message == "while answering 'segfault' the subject died of SIGSEGV"
    assert "in segfault" in error.details


def test_a_kill_hints_at_memory():
    """SIGKILL is what the system sends when memory runs out."""
    error, _ = failure("kill", int(signal.SIGKILL))
    assert error.kind == "crash"
    assert "SIGKILL (the system does this when memory runs out)" in error.message


def test_an_allocation_beyond_the_limit_is_a_memory_error():
    """A small limit holds for the subject's arrays, and the worker lives on."""
    error, alive = failure("allocate", 400 * MIB, memory_limit=256 * MIB)
    assert (error.kind, alive) == ("memory", True)
    assert "ran out of memory: Unable to allocate" in error.message


def test_an_allocation_within_the_limit_succeeds():
    """The limit counts from what numpy uses itself."""
    with make_worker(memory_limit=256 * MIB) as worker:
        assert worker.request("allocate", 150 * MIB) == 150 * MIB


def test_a_hoard_of_small_objects_is_a_memory_error():
    """The last byte spent on the subject leaves enough to describe the failure."""
    error, _ = failure("exhaust_memory", memory_limit=128 * MIB)
    assert error.kind == "memory"


def test_a_recursion_bomb_ends_within_the_limits():
    """Recursion without a limit ends as memory, a crash or a time-out, never as a hang."""
    error, _ = failure("endless_recursion", memory_limit=128 * MIB, time_limit=4.0)
    assert error.kind in {"memory", "crash", "timeout", "exception"}


def test_a_huge_file_cannot_be_written():
    """A file ends at 64 MiB with an OSError in the subject."""
    error, _ = failure("fill_disk")
    assert "File too large" in error.message


def test_descriptors_are_limited():
    """Three hundred open files are too many."""
    error, alive = failure("open_many")
    assert "Too many open files" in error.message
    assert alive


# --- Time-outs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "op", ["loop", "stubborn_loop", "ignore_signals_and_loop", "hang_in_c", "stop_itself", "print_forever"]
)
def test_a_subject_that_does_not_come_back_times_out(op):
    """Neither caught exceptions nor ignored signals nor C code nor a flood of output delay the end."""
    fatal_timeout(op)


@pytest.mark.parametrize(("op", "frame"), [("loop", "in loop"), ("hang_in_c", "in hang_in_c")])
def test_a_time_out_shows_where_the_subject_was(op, frame):
    """The details end with the stack at the time of the kill."""
    assert frame in fatal_timeout(op).details


def test_a_request_may_have_its_own_limit(worker):
    """The limit of one request overrides that of the worker."""
    with pytest.raises(SubjectError, match=r"did not finish within 0.2 s"):
        worker.request("sleep", 60, time_limit=0.2)


def test_a_request_of_several_calls_has_the_time_of_each():
    """The message says so."""
    with (
        make_worker(time_limit=0.15) as worker,
        pytest.raises(SubjectError, match=r"did not finish within 0.3 s, 0.15 s a call"),
    ):
        worker.request("sleep", 60, calls=2)


def test_a_child_that_stops_reading_times_out():
    """Writing a large request has a deadline too."""
    with make_worker(time_limit=0.5) as worker:
        worker.request("stop_later", None)
        time.sleep(0.3)
        with pytest.raises(SubjectError) as caught:
            worker.request("echo", np.zeros(1_000_000))
        assert caught.value.kind == "timeout"


# --- The channel ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["close_everything", "close_everything_and_loop"])
def test_closing_all_descriptors_is_a_protocol_error(op):
    """A child that can no longer answer is given up at once, not at the time limit."""
    begin = time.monotonic()
    error, alive = failure(op)
    assert time.monotonic() - begin < 4
    assert (error.kind, alive) == ("protocol", False)
    assert "closed its channel" in error.message


@pytest.mark.parametrize("data", ["garbage " * 9, "GCF1\x03\0\0\0nul", 'GCF1\x02\0\0\0"x'])
def test_garbage_on_the_channel_is_a_protocol_error(data):
    """Bytes that are no answer of ours are recognised, also when they form a frame or the start of one."""
    error, alive = failure("garbage", data)
    assert (error.kind, alive) == ("protocol", False)


def test_a_forged_answer_is_a_protocol_error():
    """A well-formed answer without the token of the worker is not accepted."""
    error, alive = failure("forge")
    assert (error.kind, alive) == ("protocol", False)
    assert "forged" in error.message


def test_an_answer_before_the_question_is_a_protocol_error(worker):
    """A thread that writes to the channel between two requests is noticed at the next one."""
    worker.request("write_later", None)
    time.sleep(0.4)
    with pytest.raises(SubjectError, match="before it was asked for") as caught:
        worker.request("echo", 1)
    assert caught.value.kind == "protocol"


def test_a_signal_in_our_own_loop_is_a_protocol_error(worker):
    """An exception that a subject plants in gradcheck's loop ends the child, not the parent."""
    worker.request("raise_signal_later", None)
    time.sleep(0.4)
    with pytest.raises(SubjectError, match="closed its channel") as caught:
        worker.request("echo", 1)
    assert "KeyboardInterrupt" in caught.value.details


def test_closed_standard_streams_do_not_matter(worker):
    """Answers do not travel on the standard streams."""
    assert worker.request("close_stdout", None) == "still here"
    assert worker.request("echo", 1) == 1


# --- Processes and threads --------------------------------------------------------------------------------------------


def test_a_grandchild_that_holds_the_pipes_open_does_not_delay_the_end():
    """The end of the child counts, not the end of the pipe."""
    begin = time.monotonic()
    error, _ = failure("fork_and_hold")
    assert time.monotonic() - begin < 3
    assert error.kind == "exit"
    assert "exit code 3" in error.message


@pytest.mark.parametrize("op", ["fork_and_return", "fork_in_c_and_return"])
def test_a_fork_that_returns_does_not_answer(worker, op):
    """Only the child itself may answer."""
    pid = worker.request(op, None)
    time.sleep(0.2)
    assert worker.request(op, None) == pid
    assert worker.request("echo", 1) == 1


def test_close_kills_grandchildren(worker):
    """What the subject forked dies with the worker, even if it ignores SIGTERM."""
    pid = worker.request("fork_and_report", None)
    assert exists(pid)
    worker.close()
    assert gone_soon(pid)


def test_threads_left_running_do_not_delay_the_end(worker):
    """A non-daemon thread of the subject does not outlive the worker."""
    worker.request("leave_threads", None)
    begin = time.monotonic()
    worker.close()
    assert time.monotonic() - begin < 1


def test_no_descriptor_and_no_zombie_is_left():
    """Start, failure, restart and close leave the process as it was."""
    before = sorted(os.listdir("/proc/self/fd"))
    with make_worker() as worker:
        for op, payload in (("os_exit", 0), ("kill", 11), ("close_everything", None)):
            with pytest.raises(SubjectError):
                worker.request(op, payload)
            worker.restart()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert not re.findall(r"\) Z", "".join(_children_states()))


def _children_states():
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text()
        except OSError:
            continue
        if text.rpartition(")")[2].split()[1] == str(os.getpid()):
            yield text


def test_a_worker_that_is_forgotten_takes_its_child_along():
    """Garbage collection kills the child."""
    worker = make_worker()
    worker.start()
    pid, dead = worker.request("fork_and_report", None), weakref.ref(worker)
    del worker
    gc.collect()
    assert dead() is None
    assert gone_soon(pid)


def test_threads_can_share_a_worker(worker):
    """Requests of several threads queue up, and each gets its own answer."""
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: worker.request("echo", n), range(200))) == list(range(200))


def test_a_worker_survives_the_thread_that_started_it():
    """The child dies with our process, not with the thread that happened to start it."""
    worker = make_worker()
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert worker.request("echo", 1) == 1
    worker.close()


@pytest.mark.parametrize("starter", ["main", "thread"])
def test_the_child_dies_with_its_parent(starter):
    """A parent that is killed does not leave a looping child behind."""
    script = f"""
        import os, threading, sys
        from gradcheck.isolation import Worker
        worker = Worker("handlers:make", {{}}, python_path=[{str(HERE)!r}], time_limit=60)
        if {starter!r} == "main":
            worker.start()
        else:
            thread = threading.Thread(target=worker.start)
            thread.start()
            thread.join()
        print(worker._child.pid, flush=True)
        worker.request("loop", None)
    """
    env = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, env=env)
    pid = int(parent.stdout.readline())
    time.sleep(0.2)
    assert exists(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone_soon(pid)


def test_an_interrupted_request_kills_the_child(worker):
    """Ctrl-C in the parent goes through, and no late answer waits for the next request."""
    main = threading.get_ident()
    timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        worker.request("sleep", 60)
    assert not worker.alive
    worker.restart()
    assert worker.request("echo", 1) == 1


# --- Life cycle -------------------------------------------------------------------------------------------------------


def test_a_dead_worker_refuses_requests_until_it_is_restarted(worker):
    """After a fatal failure there is no answer by accident."""
    with pytest.raises(SubjectError):
        worker.request("os_exit", 0)
    with pytest.raises(UsageError, match="not running"):
        worker.request("echo", 1)
    worker.restart()
    assert worker.request("echo", 1) == 1


def test_a_closed_worker_can_be_closed_again(worker):
    """Closing twice is harmless and the output stays."""
    worker.request("print_lines", None)
    worker.close()
    worker.close()
    assert not worker.alive
    assert worker.output_tail().startswith("to stdout")


@pytest.mark.parametrize(
    ("op", "payload", "kind", "text"),
    [
        ("divide", None, "load", "while loading the subject raised ZeroDivisionError"),
        ("raise_usage_error", None, "load", "no function named 'backprop' in subject.py"),
        ("exit", 0, "exit", "while loading the subject called sys.exit(0)"),
        ("os_exit", 0, "exit", "while loading the subject ended its process with exit code 0"),
        ("kill", 11, "crash", "while loading the subject died of SIGSEGV"),
        ("allocate", 1 << 40, "memory", "while loading the subject ran out of memory"),
        ("loop", None, "timeout", "while loading the subject did not finish within 1 s"),
        ("forge", None, "protocol", "while loading the subject forged an answer"),
    ],
)
def test_a_subject_that_fails_while_it_is_loaded(op, payload, kind, text):
    """Everything that can go wrong in a request can go wrong at the start, and leaves no worker."""
    worker = make_worker({"op": op, "payload": payload}, start_limit=1.0)
    with pytest.raises(SubjectError) as caught:
        worker.start()
    assert caught.value.kind == kind
    assert caught.value.message.startswith(text)
    assert not worker.alive


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        ("handlers.make", "expected 'package.module:callable'"),
        ("no_such_module:make", "No module named 'no_such_module'"),
        ("handlers:no_such_name", "no_such_name"),
    ],
)
def test_a_handler_that_cannot_be_imported_is_the_callers_error(handler, text):
    """A wrong handler is never blamed on the subject."""
    with pytest.raises(UsageError, match=re.escape(text)):
        Worker(handler, {}, python_path=[HERE]).start()


def test_a_missing_folder_is_the_callers_error(tmp_path):
    """A working folder that does not exist is named."""
    with pytest.raises(UsageError, match="nowhere"):
        make_worker(cwd=tmp_path / "nowhere").start()


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_limits_must_be_positive(limit):
    """A limit that is no number of seconds is refused."""
    with pytest.raises(UsageError, match="time_limit"):
        make_worker(time_limit=limit)


def test_activities_are_in_the_words_of_the_user():
    """A student knows a gradient, not our requests; every request of the handler has words."""
    requests = {"forward", "output", "vjp", "effects", "cost_derivative", "trace"}
    assert set(ACTIVITIES) == requests
    assert not any(word in text for text in ACTIVITIES.values() for word in ("vjp", "effects"))
