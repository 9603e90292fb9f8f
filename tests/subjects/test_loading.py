"""Files from disk: what is loaded, and one clear message for everything that cannot be."""

import json
import pickle
import sys
import types

import pytest

from gradcheck.errors import SubjectError, UsageError
from gradcheck.subjects import check_path, load, members_of, split_target
from gradcheck.subjects.loading import NOTES, describe_members


@pytest.fixture
def write(tmp_path):
    """Write a file and give its path."""

    def make(source: str, name: str = "student.py") -> str:
        path = tmp_path / name
        path.write_text(source)
        return str(path)

    return make


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("dir/file.py:Network", ("dir/file.py", "Network")),
        ("file.py", ("file.py", None)),
        ("file.py:module.attr", ("file.py", "module.attr")),
        (r"C:\work\file.py", (r"C:\work\file.py", None)),
        (r"C:\work\file.py:Net", (r"C:\work\file.py", "Net")),
        ("C:file", ("C:file", None)),
        ("a:b/file.py", ("a:b/file.py", None)),
        ("file.py:", ("file.py:", None)),
    ],
)
def test_targets_are_split(target, expected):
    """The object is what follows the last colon, unless that belongs to the path."""
    assert split_target(target) == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing.py", "no such file"),
        ("studnet.py", r"did you mean student\.py"),
        ("missing/student.py", "there is no directory"),
        ("", "is a directory; name one Python file"),
        ("notes.txt", "is not a Python file"),
    ],
)
def test_a_path_that_is_no_python_file_is_a_usage_error(write, tmp_path, name, says):
    """With what was given and what to do."""
    for existing in ("student.py", "notes.txt"):
        write("", existing)
    with pytest.raises(UsageError, match=says):
        check_path(str(tmp_path / name))


def test_a_file_runs_under_its_own_name(write):
    """What is behind the ``__main__`` guard stays asleep, and classes can be pickled."""
    path = write(
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int = 1\n"
        "if __name__ == '__main__':\n    raise SystemExit('trains for ever')\n",
        "own_name.py",
    )
    members = load(path)
    assert members["__name__"] == "own_name"
    assert pickle.loads(pickle.dumps(members["P"]())) == members["P"]()


def test_siblings_can_be_imported(write):
    """The file's own folder is on the path."""
    write("VALUE = 3\n", "sibling_of_student.py")
    assert load(write("from sibling_of_student import VALUE\n"))["VALUE"] == 3


def test_a_name_of_the_library_is_not_taken(write):
    """A file called random.py does not replace the module."""
    import random

    assert load(write("x = 1\n", "random.py"))["__name__"] == "subject_random"
    assert sys.modules["random"] is random


def test_an_edited_file_is_read_again(write):
    """Two versions of one length within one second."""
    assert load(write("x = 1\n"))["x"] == 1
    assert load(write("x = 2\n"))["x"] == 2


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("def f(:\n    pass\n", "load", r"SyntaxError: .* in student\.py:1: def f\(:"),
        ("exec 'x = 1'\n", "load", "looks like Python 2: exec without parentheses"),
        ("import theano_of_old\n", "load", "needs the module 'theano_of_old', which is not installed"),
        ("import urllib2\n", "load", "a module of Python 2"),
        ("x = 1\ny = x / 0\n", "load", r"ZeroDivisionError: division by zero in student\.py:2 while it was loaded"),
        ("def f():\n    raise KeyError('a')\nf()\n", "load", r"student\.py:2 \(function f\)"),
        ("import sys\nsys.exit(0)\n", "exit", r"sys\.exit\(0\)\) in student\.py:2"),
        ("raise NotImplementedError\n", "load", "NotImplementedError"),
        ("x = 1\0\n", "load", "null bytes"),
    ],
)
def test_what_cannot_be_loaded_says_why_and_where(write, source, kind, says):
    """One message with the line in the subject's file."""
    with pytest.raises(SubjectError, match=says.replace(r"\)\) in", r"\) in")) as caught:
        load(write(source))
    assert caught.value.kind == kind


def test_python_2_is_rewritten(write):
    """print statements over several lines, except and raise with commas, xrange, iteritems, cPickle; lines stay."""
    path = write(
        "import cPickle\nimport numpy as np\n"
        "def f(n):\n\tprint 'a', (n,\n\t\tn)\n\tprint\n\tprint ('b') + 'c'\n\tprint('d')\n"
        "\ttry:\n\t\traise ValueError, 'no'\n\texcept ValueError, e:\n\t\tpass\n"
        "\treturn [i for i in xrange(n)], {1: 2}.iteritems(), np.float(n), 1 <> 2\n"
    )
    members = load(path)
    assert members["f"](2)[0] == [0, 1]
    assert members["f"](2)[2:] == (2.0, True)
    assert members["f"].__code__.co_firstlineno == 3
    notes = "\n".join(members[NOTES])
    for what in (r"print statements (line 4, 6, 7)", "except E, e (line 11)", "xrange (line 13)", "np.float (line 13)", "cPickle (line 1)"):  # noqa: E501  # fmt: skip
        assert what in notes


def test_a_file_that_trains_at_import_is_loaded(write, monkeypatch):
    """The endless loop is interrupted, what fails for want of data is skipped, and both are said with the line."""
    monkeypatch.setattr("gradcheck.subjects.loading.PATIENCE", 0.05)
    members = load(write("X = open('no data').read()\ndef f(x):\n    return x\nwhile True:\n    f(1)\nlast = 3\n"))
    assert members["f"](2) == 2
    assert members["last"] == 3
    assert "line 4: stopped after" in members[NOTES][0]
    assert "No such file" in members[NOTES][1]


def test_a_notebook_is_loaded_cell_by_cell(write):
    """Magics and shell lines are dropped; a traceback names the cell."""
    cells = ["%matplotlib inline\n!ls\nimport numpy as np", "def f(x):\n    return 1 / x", "%%bash\nrm -r nothing"]
    text = json.dumps({"cells": [{"cell_type": "code", "source": [c]} for c in cells]})
    members = load(write(text, "book.ipynb"))
    assert members["f"](2) == 0.5
    with pytest.raises(UsageError, match="not a Jupyter notebook"):
        load(write("nothing", "broken.ipynb"))


def test_modules_of_folders_above_are_found(write, tmp_path):
    """An absolute import from the root of a repository, and a relative one without __init__.py."""
    for name, text in {"pack/base.py": "A = 1\n", "pack/sub/one.py": "from pack.base import A\ndef f(x): ...\n", "pack/two.py": "from .base import A\ndef f(x): ...\n"}.items():  # noqa: E501  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(text, name)
    assert load(str(tmp_path / "pack/sub/one.py"))["A"] == 1
    assert load(str(tmp_path / "pack/two.py"))["A"] == 1


def test_a_failed_load_leaves_no_module(write):
    """The half-executed module is forgotten."""
    with pytest.raises(SubjectError):
        load(write("raise ValueError\n", "half_done.py"))
    assert "half_done" not in sys.modules


def test_a_missing_object_lists_near_names(write):
    """And what the file has."""
    path = write("class Network:\n    pass\ndef loss():\n    pass\n")
    with pytest.raises(SubjectError, match="has no 'Netwrok'; it has Network"):
        load(path, "Netwrok")
    with pytest.raises(SubjectError, match=r"student\.py\.Network has no 'loss'"):
        load(path, "Network.loss")


def test_an_object_may_be_dotted_or_a_prefix(write):
    """module.attr, Class, a function, or the prefix of a pair."""
    path = write(
        "import types\nns = types.SimpleNamespace(loss=len, a=1)\ndef relu_forward(x): ...\ndef other(x): ...\n"
    )
    assert set(load(path, "ns")) == {"loss", "a"}
    assert set(load(path, "ns.loss")) == {"len"}
    assert set(load(path, "relu")) == {"relu_forward"}


def test_members_of_any_object():
    """Modules, classes, instances, mappings, namespaces, functions and pairs."""

    class Thing:
        """Has one of each."""

        attribute = 1

        @staticmethod
        def static():
            """Callable on the class."""

        def method(self):
            """Callable on an instance."""

    def loss():
        """A function."""

    assert members_of((loss, len)) == {"loss": loss, "backprop": len}
    assert members_of(loss) == {"loss": loss}
    assert members_of({"loss": loss})["loss"] is loss
    assert members_of(types.SimpleNamespace(loss=loss))["loss"] is loss
    assert {"static", "Thing"} <= set(members_of(Thing))
    assert "method" not in members_of(Thing)
    assert {"static", "method", "attribute", "Thing"} <= set(members_of(Thing()))


def test_members_are_described_with_signatures(write):
    """Only what the file defines itself."""
    path = write("import os\nfrom math import sqrt\ndef f(x, *, k=1): ...\nclass A:\n    def g(self, y): ...\n")
    assert describe_members(load(path)) == ["class A: g(y)", "def f(x, *, k=1)"]


def test_a_binary_file_has_no_line(tmp_path):
    """What is no text at all is said without a place that is not there."""
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    with pytest.raises(SubjectError) as caught:
        load(str(tmp_path / "binary.py"))
    assert "None" not in caught.value.message
    assert "?" not in caught.value.message
