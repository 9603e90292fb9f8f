"""The configuration file: where it is found, what it may say, and how it meets the command line."""

import pytest

from gradcheck.cli.configuration import find
from gradcheck.errors import UsageError

SUBJECT = '[tool.gradcheck.subjects.mine]\npath = "student.py"\nactivations = ["tanh", "acts.py:swish"]\n'


@pytest.fixture
def write(folder):
    """write(text, name) -> the file."""

    def create(text, name="gradcheck.toml"):
        (folder / name).write_text(text)
        return folder / name

    return create


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", SUBJECT),
        ("gradcheck.toml", SUBJECT),
        ("gradcheck.toml", SUBJECT.replace("tool.gradcheck.", "")),
    ],
)
def test_a_subject_is_verified_by_name(run, api, write, folder, name, text):
    """Both files and both spellings; own definitions are relative to the file."""
    write(text, name)
    assert run("verify", "mine").code == 0
    assert api.calls == [("student.py", {"activations": ("tanh", f"{folder / 'acts.py'}:swish")})]


def test_every_subject_without_an_argument(run, api, write, samples):
    """All configured subjects; the worst exit code wins."""
    write('[subjects.a]\npath = "student.py"\n[subjects.b]\npath = "missing.py"\n')
    assert run("verify").code == 2
    write('[subjects.a]\npath = "student.py"\n[subjects.b]\npath = "student.py"\nobject = "B"\n')
    api.report = samples.inconclusive()
    assert run("verify").code == 4
    assert api.calls == [("student.py", {}), ("student.py", {"object": "B"})]


def test_settings_apply_and_flags_override_them(run, api, write, folder):
    """seed and the like go to the API; the command line goes before the file."""
    write('seed = 3\nmax_examples = 9\nmemory_limit = "1G"\nreports = "out"\noutput_format = "concise"\n')
    outcome = run("verify", "student.py", "--seed", "4")
    assert api.calls == [("student.py", {"seed": 4, "max_examples": 9, "memory_limit": 2**30})]
    assert outcome.out.startswith("student.py: pass")
    assert list((folder / "out").iterdir())


def test_a_path_that_is_configured_uses_its_table(run, api, write):
    """However the path is spelled; flags still override."""
    write('[subjects.a]\npath = "student.py"\nconvention = "nielsen"\ndtype = "float32"\n')
    run("verify", "./student.py", "--dtype", "float64")
    assert api.calls == [("./student.py", {"convention": "nielsen", "dtype": "float64"})]


def test_an_object_selects_among_configured_ones(run, api, write):
    """PATH:OBJECT takes the table of that object, a plain PATH takes all tables of the file."""
    write(
        '[subjects.a]\npath = "student.py"\nobject = "A"\ndtype = "float32"\n'
        '[subjects.b]\npath = "student.py"\nobject = "B"\n'
    )
    run("verify", "student.py:A")
    assert api.calls == [("student.py", {"object": "A", "dtype": "float32"})]
    run("verify", "student.py")
    run("verify", "student.py:C")
    assert [call[1].get("object") for call in api.calls[1:]] == ["A", "B", "C"]


def test_the_file_is_found_upwards_and_paths_are_relative_to_it(run, api, write, folder, monkeypatch):
    """From a folder below, up to the repository root."""
    write('[subjects.a]\npath = "student.py"\n')
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    run("verify", "a", "--no-report")
    assert api.calls == [(str(folder / "student.py"), {})]


def test_the_search_ends_at_the_repository_root(folder, write):
    """A configuration above the repository is another project's."""
    write("seed = 1")
    (folder / "inner" / ".git").mkdir(parents=True)
    assert find(folder / "inner").file is None
    assert find(folder).settings == {"seed": 1}


def test_a_pyproject_without_a_table_is_passed_by(folder, write):
    """Another tool's file does not end the search."""
    write("seed = 1")
    (folder / "inner").mkdir()
    (folder / "inner" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find(folder / "inner").settings == {"seed": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "unknown key 'sed'; did you mean 'seed'"),
        ("zzz = 1", "unknown key 'zzz'; expected one of seed"),
        ("subject = 1", "did you mean 'subjects'"),
        ('[subjects.a]\npth = "x"', "unknown key 'pth' in subjects.a; did you mean 'path'"),
        ("[subjects.a]\ndtype = 'float64'", "subjects.a has no path"),
        ("[subjects.a]\npath = 3", "path in subjects.a: expected a text, got 3"),
        ("[subjects.a]\npath = 'x'\nweights = 'up'", "expected one of to_from, from_to, got 'up'"),
        ("[subjects.a]\npath = 'x'\ncosts = [1]", "expected a list of names"),
        ("ignore = ['GC46']", "ignore: no code of a finding begins with 'GC46'; did you mean GC406?"),
        ("ignore = 'GC9'", "ignore: GC9 covers GC901"),
        ("[subjects.a]\npath = 'x'\nselect = 4", "select in subjects.a: expected a list of names"),
        ("subjects = 3", "every subject needs a table"),
        ("[subjects]\na = 3", "every subject needs a table"),
        ("seed = true", "seed: expected a whole number, got True"),
        ("seed = 1.5", "expected a whole number"),
        ("max_examples = 0", "expected 1 or more"),
        ("budget = -1", "expected a positive number"),
        ("budget = nan", "expected a positive number"),
        ("memory_limit = true", "is not a size"),
        ("output_format = 'pdf'", "expected one of rich"),
        ("seed = 1\n[tool.gradcheck]\nseed = 2", "'seed' is set twice"),
        ("[subjects.a]\npath='x'\n[tool.gradcheck.subjects.a]\npath='y'", "'a' is set twice"),
        ("[tool]\ngradcheck = 3", "must be a table"),
        ("seed = ", "cannot be read"),
    ],
)
def test_mistakes_name_the_file_and_the_nearest_key(write, folder, text, message):
    """A typing error in the configuration is never ignored."""
    file = write(text)
    with pytest.raises(UsageError) as caught:
        find(folder)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_mistake_is_exit_code_two(run, write):
    """And nothing is verified."""
    write("sed = 1")
    assert run("verify", "student.py").code == 2


def test_an_unknown_name_is_helped(run, write):
    """The nearest configured subject, else all of them."""
    write('[subjects.network]\npath = "student.py"\n')
    assert "did you mean the configured subject 'network'?" in run("verify", "netwrok").err
    assert "configured subjects: network" in run("verify", "zzz").err
