"""A child that is started ahead is taken by the worker that would have started the same, and by no other."""

import inspect
import os

import gradcheck
from gradcheck.isolation import Worker, spare
from gradcheck.isolation.process import ChildProcess
from tests.isolation.test_child import HANDLER, setup

MEMORY = 1 << 30


def started(monkeypatch):
    """The children that are started from now on."""
    children, start = [], ChildProcess.__init__

    def note(child, *arguments, **more):
        children.append(child)
        start(child, *arguments, **more)

    monkeypatch.setattr(ChildProcess, "__init__", note)
    return children


def gone(child):
    """Whether a child has ended and was reaped."""
    return child._process.poll() is not None


def test_the_worker_takes_it(tanh_file, monkeypatch):
    """One process for both; it answers like any other, and ends with the worker."""
    children = started(monkeypatch)
    with spare.child(MEMORY), Worker(HANDLER, setup(tanh_file()), memory_limit=MEMORY) as worker:
        assert worker.request("offer", None)["convention"] == "functional"
        assert len(children) == 1
    assert gone(children[0])


def test_a_worker_with_another_limit_starts_its_own(tanh_file, monkeypatch):
    """And the spare one ends unused with its block."""
    children = started(monkeypatch)
    with spare.child(MEMORY), Worker(HANDLER, setup(tanh_file()), memory_limit=2 * MEMORY):
        assert len(children) == 2
    assert all(map(gone, children))


def test_a_worker_elsewhere_starts_its_own(tanh_file, monkeypatch, tmp_path):
    """A child inherits the folder it was started in."""
    children = started(monkeypatch)
    with spare.child(MEMORY):
        monkeypatch.chdir(tmp_path)
        with Worker(HANDLER, setup(tanh_file()), memory_limit=MEMORY):
            assert len(children) == 2


def test_it_is_taken_once(tanh_file, monkeypatch):
    """The next worker starts one anew."""
    children = started(monkeypatch)
    with spare.child(MEMORY):
        for _ in range(2):
            with Worker(HANDLER, setup(tanh_file()), memory_limit=MEMORY):
                pass
    assert len(children) == 2


def test_a_spare_that_died_costs_nothing(tanh_file, monkeypatch):
    """The worker starts another one."""
    children = started(monkeypatch)
    with spare.child(MEMORY):
        os.kill(children[0].pid, 9)
        children[0]._process.wait()
        with Worker(HANDLER, setup(tanh_file()), memory_limit=MEMORY) as worker:
            assert worker.alive


def test_its_limit_is_that_of_verify():
    """Or it would never be taken."""
    assert inspect.signature(gradcheck.verify).parameters["memory_limit"].default == spare.MEMORY_LIMIT
