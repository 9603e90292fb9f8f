"""What a process of the self-test needs to know, in values that can be sent to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from gradcheck.campaign import opening, session
from gradcheck.checks import Wanted
from gradcheck.faults.layers import source_of
from gradcheck.faults.outcomes import Plan
from gradcheck.faults.specimen import Source
from gradcheck.networks.layers import LAYERS


@dataclass(frozen=True, slots=True)
class Setup:
    """The plan, and the file with what the caller said about it: the options of `gradcheck.verify` by name."""

    plan: Plan
    text: str = ""
    path: str | None = None
    object: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The layer whose reference the file is, "" for any other file."""
        stem = PurePath(self.path or "").stem
        return stem if stem in LAYERS and self.text == source_of(stem) else ""

    def source(self) -> tuple[Source, Wanted]:
        """The file's source and the conventions that were said. Raises UsageError for what is no convention."""
        options = dict(self.options)
        given = options.pop("activations", None), options.pop("costs", None)
        vocabulary, activations, costs = opening.vocabulary_of(*given)
        options |= {"object": self.object, "activations": activations, "costs": costs}
        said = session.configuration(options, vocabulary)
        target = opening.Target(self.path, self.object)
        assert self.path is not None, "only a file has a source"
        return Source(self.text, self.path, said, self.object), session.wanted(target, said, vocabulary)
