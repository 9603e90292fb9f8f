"""The cache of transcriptions: used when it is ours and whole, rebuilt when not, and audited like what was traced."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gradcheck.campaign.oracle_cache import Disk, base_folder, store_of
from gradcheck.errors import OracleError
from gradcheck.networks import Architecture, Dense, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.oracles import audit, autodiff
from gradcheck.oracles.store import Nothing, Rules

PROGRAM = """
import sys, gradcheck
report = gradcheck.verify(sys.argv[1], in_process=True, max_examples=3, activations=["tanh"], costs=["mse"])
print(report.verdict, "jax" in sys.modules, report.environment["audited"]["cases"])
"""


@pytest.fixture
def disk(tmp_path):
    """A cache in a folder of its own, with one entry."""
    disk = Disk(tmp_path / "cache")
    disk.put("key", "text")
    return disk


@pytest.fixture
def rules(monkeypatch):
    """rules(store) -> fresh rules of a process that keeps them there."""

    def fresh(store):
        made = Rules()
        made.store = store
        for module in (autodiff, audit):
            monkeypatch.setattr(module, "rules", made)
        for kept in (autodiff.activation_vjp, autodiff._numpy_activation, autodiff.cost_vjp, autodiff._numpy_cost):
            kept.cache_clear()
        autodiff._template.cache_clear()
        return made

    yield fresh
    fresh(Nothing())


@pytest.fixture
def case():
    """A small network."""
    layers = (Dense(3, activation_named("tanh")), Dense(2, activation_named("sigmoid")))
    return sample_case(Architecture(2, layers, cost_named("mse")), 3, np.random.default_rng(0))


def file_of(disk):
    """The one file in it."""
    (path,) = disk.folder.glob("*.json")
    return path


def test_what_was_put_comes_back_in_another_process(disk):
    """And an unknown key does not."""
    assert Disk(disk.folder).get("key") == "text"
    assert disk.get("other") is None


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b"", lambda b: b.replace(b"text", b"tent")]
)
def test_a_file_that_is_not_whole_is_not_there(disk, spoil):
    """Cut short, longer, empty, changed."""
    file_of(disk).write_bytes(spoil(file_of(disk).read_bytes()))
    assert disk.get("key") is None


def test_a_file_under_another_key_is_not_there(disk):
    """The checksum covers the key."""
    file_of(disk).rename(disk._path("other"))
    assert disk.get("other") is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_not_there(disk, mode):
    """Whatever its checksum says."""
    file_of(disk).chmod(mode)
    assert disk.get("key") is None


def test_a_link_is_not_there(disk, tmp_path):
    """It may point to somebody else's file."""
    file_of(disk).rename(tmp_path / "elsewhere")
    disk._path("key").symlink_to(tmp_path / "elsewhere")
    assert disk.get("key") is None


def test_a_folder_that_others_can_write_is_not_used(disk):
    """Neither read nor written."""
    disk.folder.chmod(0o777)
    again = Disk(disk.folder)
    again.put("more", "text")
    assert (again.get("key"), len(list(disk.folder.iterdir()))) == (None, 1)


def test_another_users_file_is_not_there(disk, monkeypatch):
    """Seen from an account with another number."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert disk.get("key") is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    """The oracle traces anew."""
    (tmp_path / "file").write_text("")
    disk = Disk(tmp_path / "file" / "cache")
    disk.put("key", "text")
    assert disk.get("key") is None


@pytest.mark.parametrize(
    ("environment", "system", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.cache/gradcheck"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "linux", "/x/gradcheck"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "linux", "/h/.cache/gradcheck"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "darwin", "/h/Library/Caches/gradcheck"),
        ({"HOME": "/h", "GRADCHECK_CACHE_DIR": "/g"}, "darwin", "/g"),
        ({"USERPROFILE": "/u", "LOCALAPPDATA": "/l"}, "win32", "/l/gradcheck"),
    ],
)
def test_the_folder_is_the_platforms(environment, system, expected):
    """The override wins, relative paths do not count."""
    assert base_folder(environment, system).as_posix() == expected


def test_it_can_be_switched_off():
    """And without a home there is none."""
    assert isinstance(store_of({"GRADCHECK_CACHE": "off", "GRADCHECK_CACHE_DIR": "/g"}), Nothing)
    assert isinstance(store_of({}), Nothing)


def test_an_audit_is_remembered_with_the_text_it_was_made_of(rules, disk, case):
    """The next process need not repeat it, unless the entry is another one."""
    rules(disk)
    assert audit.audit_if_due(case)
    rules(disk)
    assert not audit.audit_if_due(case)
    planted = rules(disk)
    key = next(k for k in autodiff.rules_of(case) if k.startswith("depth"))
    disk.put(key, disk.get(key) + " ")
    assert planted.unaudited([key]) == [key]


@pytest.mark.parametrize("name", ["depth", "activation_vjp", "cost"])
def test_a_wrong_transcription_in_the_cache_is_found_by_the_audit(rules, disk, case, name):
    """An entry that is whole, well-formed, ours, and wrong."""
    rules(disk)
    autodiff.value_and_gradient(case)
    for key in (k for k in autodiff.rules_of(case) if k.startswith(f"{name}-")):
        text = disk.get(key)
        head, _, result = text.rpartition("return (")
        disk.put(key, f"{head}return (1.0001 * {result}")
    rules(disk)
    with pytest.raises(OracleError, match="transcribed and compiled"):
        audit.audit_if_due(case)


WRITER = """
import pathlib, sys
from gradcheck.campaign.oracle_cache import Disk
disk, me = Disk(pathlib.Path(sys.argv[1])), sys.argv[2]
for k in range(300):
    disk.put(f"key-{k % 3}", me * (1 + 37 * (k % 50)))
    text = disk.get(f"key-{k % 3}")
    assert text is None or (set(text) <= set("abc") and len(set(text)) == 1 and len(text) % 37 == 1), text[:99]
print("whole")
"""


def test_processes_that_write_at_once_read_whole_texts(tmp_path):
    """Three that overwrite one another's entries: each read is one of the texts, from its first to its last letter."""
    folder = tmp_path / "cache"
    command = [sys.executable, "-c", WRITER, str(folder)]
    writers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "abc"]
    assert [w.communicate(timeout=60)[0].strip() for w in writers] == ["whole"] * 3
    assert not list(folder.glob(".new-*"))


def test_a_warm_run_needs_no_jax(tmp_path):
    """The first runs trace and audit; then jax is not imported, unless by the lottery of one run in sixteen."""
    environment = {**os.environ, "GRADCHECK_CACHE_DIR": str(tmp_path), "GRADCHECK_CACHE": "on"}
    file = os.path.join(os.path.dirname(__file__), "..", "files", "tanh_mse.py")
    run = [sys.executable, "-c", PROGRAM, file]
    said = [["pass", "True", "1"]]
    while said[-1] != ["pass", "False", "0"] and len(said) < 7:
        said.append(subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout.split())
    assert said[1][:2] == ["pass", "True"]
    assert said[-1] == ["pass", "False", "0"]
