"""Every format of every hand-made report, against the text in expected/; GRADCHECK_UPDATE_SNAPSHOTS=1 rewrites them.

Pages are left out: they are mostly style, and test_html.py reads what they say.
"""

import os
from pathlib import Path

import pytest

from gradcheck.render import RENDERERS

EXPECTED = Path(__file__).parent / "expected"
SUFFIXES = {
    "json": "json",
    "markdown": "md",
    "junit": "xml",
    "html": "html",
    "sarif": "sarif",
    "gitlab": "json",
    "csv": "csv",
}


@pytest.mark.parametrize("kind", ["passing", "failing", "inconclusive", "broken", "hostile"])
@pytest.mark.parametrize("name", sorted(set(RENDERERS) - {"html"}))
def test_rendering_is_as_agreed(samples, name, kind):
    """What people read changes only on purpose."""
    file = EXPECTED / f"{name}-{kind}.{SUFFIXES.get(name, 'txt')}"
    text = RENDERERS[name](getattr(samples, kind)())
    if os.environ.get("GRADCHECK_UPDATE_SNAPSHOTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")
