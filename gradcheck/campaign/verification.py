"""Verify one subject: recognise its conventions, climb the ladder over many cases, shrink the first that breaks.

Hypothesis draws and shrinks; what must not be left to luck comes first (`corner_cases`). The clock is read here, and only
here; randomness comes from the seed, so that the same seed gives the same report.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gradcheck.campaign import batch_of_one, epochs, first_call, guards, lawful, legible
from gradcheck.campaign.auditing import Auditing
from gradcheck.campaign.crashes import with_crash
from gradcheck.campaign.diagnosing import Inquiry, explained, explained_precision
from gradcheck.campaign.effort import Effort
from gradcheck.campaign.epochs import Booking, Epochs, Judging, Visit, visit
from gradcheck.campaign.findings import CODES, NO_NAME, failure_of, finding_of, nothing_checked
from gradcheck.campaign.generation import draw
from gradcheck.campaign.ignoring import Ignoring, told
from gradcheck.campaign.outcome import Detection, Options, Outcome, Record
from gradcheck.campaign.power import vacuous
from gradcheck.campaign.region import region
from gradcheck.campaign.same_mistake import joined
from gradcheck.campaign.shrinking import SECONDS as SHRINK_SECONDS
from gradcheck.campaign.shrinking import Shrinking
from gradcheck.checks import Examination, Fault, Recognition, examine
from gradcheck.checks.localisation import Place
from gradcheck.checks.symmetry import SOMETHING
from gradcheck.errors import FATAL, SubjectError, UsageError
from gradcheck.networks import Case, Point
from gradcheck.numerics import Arrays
from gradcheck.report import Code, Finding
from gradcheck.strategies import Balance, corner_cases, decoded, encoded_cases, extreme_cases
from gradcheck.subjects import Subject
from gradcheck.subjects.effects import companion

WEAK = frozenset({Fault.PRECISION, Fault.UNSTABLE})
_EFFECTS = 6
_STRUCTURAL = 3
"""After so many corner cases of broken structure no more are drawn; before, wrong values are still looked for."""
_BATCH = 16
"""Cases of one Hypothesis example, which costs as much as several of them."""
_LAWS_TELL = frozenset({Fault.BACKWARD, Fault.SCALE, Fault.NO_GRADIENT})


class _Stop(BaseException):
    """Ends Hypothesis' generation: something was found, the time is up, or the subject failed for good.

    No Exception: Hypothesis would run the same case once more to see whether it fails again.
    """

    def __init__(self, error: SubjectError | None = None) -> None:
        super().__init__(error)
        self.error = error


class _Enough(BaseException):
    """Ends Hypothesis' generation: as many cases were drawn as were asked for."""


def verify_subject(
    subject: Subject, recognition: Recognition, options: Options, epochs: Epochs | None = None
) -> Outcome:
    """Run the campaign of a network subject; `epochs` runs what follows the first epoch, None: this subject does."""
    return _Campaign(subject, recognition, options, epochs).run()


def detect(subject: Subject, recognition: Recognition, options: Options) -> Detection | None:
    """The campaign of `verify_subject` up to the first case that is not clean, not shrunk; None where it would pass."""
    return _Campaign(subject, recognition, replace(options, first=True)).detect()


class _Campaign:
    def __init__(
        self, subject: Subject, recognition: Recognition, options: Options, epochs: Epochs | None = None
    ) -> None:
        self.subject, self.recognition, self.options, self.epochs = subject, recognition, options, epochs
        self.effort, self.balance = Effort(options, recognition.repertoire), Balance(recognition.repertoire)
        self.auditing = Auditing(options)
        self.drawn = 0
        self._out_of_time = False
        self.shrinking = Shrinking(subject, lambda: self.recognition, self._examine, options.seed)
        self.record = Record()
        self.previous: Case | None = None
        self.broken: tuple[Examination, Case] | None = None
        self.notes: list[str] = []
        self.ignoring = Ignoring(options.selection, self._claims)
        self.started = time.monotonic()

    def run(self) -> Outcome:
        try:
            self._generate()
            self.auditing.finish()
            self._laws()
        except SubjectError as error:
            return self._outcome([failure_of(error, self.previous)])
        finally:
            if self.epochs is not None:
                self.epochs.close()
        findings: list[Finding] = []
        if self.record.structural:
            findings += self._minimal_findings(*self.record.structural[0])
        ignores = self.options.selection.ignores
        if self.broken is None and not self.record.raised and self.recognition.trusted:
            if not ignores(Code.GC602):
                self._numerics()
            if not ignores(Code.GC603):
                findings += guards.guarded_cost_alone(self.subject, self.recognition, self.options.seed)
        if self.broken is None:
            imprecise = (w for w in self.record.weak if w[0].fault is Fault.PRECISION)
            self.broken = next((w for w in imprecise if not self.ignoring.accounts_for(w[1])), None)
        overflows = (w for w in self.record.weak if w[0].fault is Fault.UNSTABLE)
        unstable = next((w for w in overflows if not self.ignoring.accounts_for(w[1])), None)
        if self.broken is None and unstable is not None:
            found, at = legible.unstable(*unstable, self.shrinking)
            findings.append(finding_of(found, at, confirmed=self._where(at)))
        if self.broken is not None:
            findings += self.ignoring.kept or self._minimal_findings(*self.broken)
        elif self.record.raised and all(f.rung == "structure" for f in findings):
            findings.insert(0, self._raised_finding())
        elif not self.record.cases and not findings:
            findings.append(self._no_evidence())
        r = self.record
        findings = joined(findings, [case for _, case in r.structural], [case for _, case in r.raised])
        findings = [self._for_one_sample(f) for f in findings]
        return self._outcome(findings if self._late() else legible.legible(findings, self.shrinking, self._claims))

    def _for_one_sample(self, finding: Finding) -> Finding:
        try:
            return self._of_some_calls(finding)
        except (SubjectError, UsageError):  # its process may be gone since it was diagnosed; the finding stands
            return finding

    def _of_some_calls(self, finding: Finding) -> Finding:
        """The finding under the name that it has where only the first call, or only a batch of one, is wrong."""
        if self.recognition.trusted and self.recognition.repertoire.fixed is None:
            finding = first_call.named(finding, lambda case: self._examine(case, differences=False))
        others = corner_cases(self.recognition.repertoire, self.options.seed)
        by_cost = finding.code.name.startswith("GC3")  # what only differences of the subject's own cost show
        return batch_of_one.named(finding, others, lambda case: self._examine(case, differences=by_cost))

    def detect(self) -> Detection | None:
        """Generation alone."""
        try:
            self._generate()
            self._laws()
        except SubjectError as error:
            return Detection(error.kind, self.previous)
        broken = [self.broken] if self.broken else [*self.record.structural, *self.record.weak]
        for examination, case in broken:
            if examination.fault is not None:
                return Detection(examination.fault.name.lower(), case)
        for raised, case in self.record.raised:
            return Detection(raised.kind, case)
        return None if self.record.cases else Detection("nothing checked", self.previous)

    @property
    def _ended(self) -> bool:
        r = self.record
        early = self.options.first and bool(r.raised or r.structural or r.weak)
        return early or self.broken is not None or self.effort.enough

    # -- generation -----------------------------------------------------------------------------------------------

    def _generate(self) -> None:
        for case in corner_cases(self.recognition.repertoire, self.options.seed):
            if self.done >= self.effort.most or self._late():
                return
            self.drawn += 1
            self._visit(case)
            if self._ended:
                return
        if len(self.record.structural) > _STRUCTURAL:
            return
        rest = self.effort.most - self.done
        if rest > 0:
            self._draw(rest)

    def _draw(self, count: int) -> None:
        many = min(_BATCH, count)
        examples = encoded_cases(self.recognition.repertoire, many)
        try:
            draw(examples, 2 * -(-count // many) + 4, self.options.seed, self._drawn)
        except _Enough:
            pass
        except _Stop as stop:
            if stop.error is not None:
                raise stop.error from None
            return
        if self.epochs is not None and not self._ended:
            self._book_all(self.epochs.finish(self._judging))

    def _drawn(self, codes: list[bytes]) -> None:
        for code in dict.fromkeys(codes):  # Hypothesis begins with zeros, the smallest network many times
            if self.drawn >= self.effort.most:
                raise _Enough
            code = self.balance.balanced(code) if self.options.adaptive else code
            self._next(decoded(code, self.recognition.repertoire))

    def _next(self, case: Case) -> None:
        if self._late() or self.done >= self.effort.most:
            raise _Stop
        try:
            self._take(case)
        except SubjectError as error:
            raise _Stop(error) from None
        if self._ended:
            raise _Stop

    def _take(self, case: Case) -> None:
        """The next case of the stream: its outcome is booked now, or with its epoch."""
        self.drawn += 1
        if self.epochs is None or self.drawn <= epochs.EPOCH:
            self._visit(case)
        else:
            self._book_all(self.epochs.take(case, self._judging()))

    def _book_all(self, outcomes: Iterator[Booking]) -> None:
        for case, visited in outcomes:
            if self._ended or self._late():
                return
            self._visited(case, visited)

    def _judging(self) -> Judging:
        return Judging.by(self.recognition)

    def _laws(self) -> None:
        """Laws without an oracle, where no trusted definition has judged and nothing was found."""
        r = self.record
        if not (self.recognition.trusted or self.broken or r.structural or r.raised or self._late()):
            broken = lawful.broken_laws(self.subject, self.recognition, self.options.seed)
            ignores = self.options.selection.ignores
            self.broken = next((b for b in broken if not (b[0].fault and ignores(CODES[b[0].fault]))), None)

    def _numerics(self) -> None:
        """Beyond the range of the campaign: where does it overflow or take ln 0, although the gradient is finite there?"""
        for case in extreme_cases(self.recognition.repertoire, self.options.seed):
            if self._late():
                return
            try:
                found = self._examine(case, differences=False)
            except SubjectError as error:
                if error.kind in FATAL:
                    raise
                continue
            if found.fault is Fault.UNSTABLE and not self.ignoring.accounts_for(case):
                self.record.weak.append((found, case))
                return

    def _where(self, case: Case) -> str:
        """The region in which an unstable formula breaks, as a clause of the finding."""

        def breaks(candidate: Case) -> bool:
            found = self.shrinking.attempt(candidate, differences=False)
            return found is None or found.fault is not None

        words = region(case, breaks)
        return f"; {words}" if words else ""

    @property
    def done(self) -> int:
        """Cases visited."""
        r = self.record
        return r.cases + r.silent.total() + len(r.raised) + len(r.weak) + len(r.structural)

    def _visit(self, case: Case) -> None:
        """Examine one case and book the outcome. SubjectErrors that end the campaign pass through."""
        other = self.previous if self.done < _EFFECTS else None
        other = case if other is None and not self.done else other
        self._visited(case, visit(self.subject, case, self._judging(), other))

    def _visited(self, case: Case, visited: Visit) -> None:
        """Book an outcome of the stream."""
        silent = self.record.silent.total()
        self._booked(case, visited)
        silent = self.record.silent.total() > silent
        self.effort.take(case, visited.examination, silent=silent, trusted=self.recognition.trusted)
        if self.options.progress is not None:
            self.options.progress(self.done, max(self.done, self.effort.expected))

    def _booked(self, case: Case, visited: Visit) -> None:
        self.previous = case
        error = visited.error
        if error is not None and error.kind in FATAL:
            raise error
        if error is not None and error.kind == "unsupported":
            self.record.silent["the subject says that it does not support this combination"] += 1
            return
        if error is not None and (reason := self.ignoring.whole(Code.GC902)):
            self.record.silent[reason] += 1
            return
        if error is not None:
            self.record.raised.append((error, case))
            return
        examination = visited.examination
        assert examination is not None, "a visit is an examination or an error"
        self._book(examination, case)
        if examination.fault is None and self.done <= _EFFECTS and self.recognition.trusted:
            self._once_more(companion(case))

    def _once_more(self, case: Point) -> None:
        """Other numbers in the same shapes: a cache that is kept by shape is right the first time."""
        assert isinstance(case, Case)
        found = self.shrinking.attempt(case, differences=False)
        if found is not None and found.fault is Fault.BACKWARD:
            self._book(found, case)

    def _book(self, examination: Examination, case: Case) -> None:
        self._audit_accusation(examination, case)
        if self._judging().disproved_by(examination):
            self._distrust()
            return
        if self._ignored(examination, case):
            return
        if examination.fault in WEAK:
            self.record.weak.append((examination, case))
        elif examination.rung == "structure" and examination.fault is not Fault.NONFINITE:
            self.record.structural.append((examination, case))
        elif examination.fault is not None:
            self.broken = examination, case
            self.record.cases += 1
            self.record.components += examination.components
        elif examination.silent:
            self.record.silent[examination.silent] += 1
        else:
            if self._audits:
                self.auditing.note(case)
            self.record.cases += 1
            self.record.components += examination.components
            self.record.agreement = max(self.record.agreement, examination.agreement)
            self.record.confidence = min(self.record.confidence, examination.confidence)
            if examination.error_bound:
                self.record.error_bounds.note(examination.error_bound)
            for name, power in examination.power.items():
                self.record.power[name].note(power)
                self.record.whole[name].note(min(power, examination.whole.get(name, power)))

    def _ignored(self, examination: Examination, case: Case) -> bool:
        """Whether all that is wrong at a case is of ignored codes; above the rung of effects it is then looked at too."""

        def find(condition: Callable[[Case], bool]) -> list[Finding]:
            return [self._for_one_sample(f) for f in self._minimal_findings(examination, case, condition)]

        reason = self.ignoring.takes(examination, case, trusted=self.recognition.trusted, find=find)
        above = self.shrinking.attempt(case, differences=True) if reason and examination.rung == "effects" else None
        if above is not None:
            self._book(above, case)
        elif reason:
            self.record.silent[reason] += 1
        return bool(reason)

    @property
    def _audits(self) -> bool:
        return self.recognition.trusted and not self.options.first

    def _audit_accusation(self, examination: Examination, case: Case) -> None:
        """Where a rule of the oracle is new: before it accuses anybody."""
        if self._audits and examination.fault is not None and examination.rung not in ("structure", "effects"):
            self.auditing.accuse(case)

    def _distrust(self) -> None:
        note = (
            "the recognised activations and cost do not hold at every case: judged by differences of its own cost alone"
        )
        self.recognition = replace(self.recognition, trusted=False, notes=(*self.recognition.notes, note))
        self.notes.append(note)

    def _examine(
        self, case: Case, *, other: Case | None = None, differences: bool = True, persistent: bool = True
    ) -> Examination:
        r, how = self.recognition, {"differences": differences, "persistent": persistent, "screened": False}
        return examine(self.subject, case, r.layout, trusted=r.trusted, other=other, **how)

    def _late(self) -> bool:
        late = self.options.budget is not None and time.monotonic() - self.started > self.options.budget
        self._out_of_time = self._out_of_time or late
        return late

    # -- findings -------------------------------------------------------------------------------------------------

    def _minimal_findings(
        self, examination: Examination, case: Case, condition: Callable[[Case], bool] = lambda _: True
    ) -> list[Finding]:
        """The finding of the smallest case; a wrong gradient is diagnosed, and may turn out to be several findings."""
        small, smallest = self.shrinking.in_full(*self.shrinking.smallest(examination, case, condition))
        self._audit_accusation(small, smallest)
        if small.fault not in (Fault.BACKWARD, Fault.PRECISION) or not self.recognition.trusted:
            return [self._with_laws(finding_of(small, smallest, (), self._crashes()), small)]
        compared = self.subject.offer.declares_cost
        asked = guards.as_the_gradient_has_it(self.subject, self.recognition, self.options.seed)
        smallest = smallest if asked is self.recognition else guards.plain(smallest)
        inquiry = Inquiry(
            self._claims,
            asked.repertoire,
            self.options.seed,
            self.shrinking.to,
            compared,
            self._crashes(),
            self._trace(),
            not self.subject.offer.batch,
        )
        found = (explained if small.fault is Fault.BACKWARD else explained_precision)(small, smallest, inquiry)
        return [self._with_laws(f, small) if any(e.startswith(NO_NAME) for e in f.evidence) else f for f in found]

    def _with_laws(self, finding: Finding, examination: Examination) -> Finding:
        """With what the laws without an oracle say of a wrong gradient; a subject that dies of it says nothing."""
        if examination.fault not in _LAWS_TELL:
            return finding
        try:
            found = lawful.with_evidence(finding, self.subject, self.recognition, self.options.seed)
            return replace(found, code=finding.code) if self.options.selection.ignores(found.code) else found
        except SubjectError:
            return finding

    def _claims(self, case: Case) -> Arrays | None:
        try:
            claim = self.subject.vjp(case, self.recognition.layout)[1](case.cotangent)
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return None
        return claim.gradient if not claim.problems else None

    def _trace(self) -> Callable[[Case], Any] | None:
        trace = getattr(self.subject, "trace", None)
        return None if trace is None else lambda case: trace(case, self.recognition.layout)

    # -- words ----------------------------------------------------------------------------------------------------

    def _crashes(self) -> str:
        return f"; besides, it raised on {len(self.record.raised)} cases" if self.record.raised else ""

    def _raised_finding(self) -> Finding:
        """Exceptions only: a fault of the backward pass where the forward pass of the same case runs."""
        error, case = self.record.raised[0]
        smallest = error, case

        def raises(candidate: Case) -> bool:
            nonlocal smallest
            try:
                self._examine(candidate, differences=False)
            except SubjectError as caught:
                if caught.kind == error.kind:
                    smallest = caught, candidate
                    return True
            return False

        self.shrinking.find(raises)
        error, case = smallest
        verdict: Any = "fail" if self._forward_runs(case) else "error"
        finding = failure_of(error, case, verdict, _place_of_crash(case) if verdict == "fail" else ())
        if verdict != "fail" or not self.recognition.trusted:
            return finding
        raised = [c for e, c in self.record.raised if e.kind == error.kind]
        return with_crash(finding, case, self._trace(), self.recognition.repertoire, (self.options.seed, raised))

    def _forward_runs(self, case: Case) -> bool:
        try:
            if self.subject.offer.declares_cost:
                self.subject.forward([case], self.recognition.layout)
            else:
                self.subject.output(case, self.recognition.layout)
        except SubjectError:
            return False
        return True

    def _no_evidence(self) -> Finding:
        if self.record.silent:
            code = Code.GC953 if SOMETHING in self.record.silent else Code.GC951 if self.ignoring.counts else Code.GC952
            found = vacuous(self.record.silent, code)
            said = () if self.recognition.trusted else lawful.what_the_laws_say(self.subject, self.recognition, self.options.seed)  # noqa: E501  # fmt: skip
            return replace(found, evidence=said)
        return nothing_checked("no case was run: raise --max-examples or --budget")

    def _outcome(self, findings: Sequence[Finding]) -> Outcome:
        r, ignored = self.record, self.ignoring.counts
        notes = (*self.notes, *told(ignored, self.done), *r.evidence(), *self._effort_notes(), *self._clock_notes())
        powers = tuple(r.powers())
        return Outcome(
            tuple(findings),
            r.tally(),
            powers,
            notes,
            r.agreement,
            self.auditing.told(),
            ignored=ignored,
            ended=self._why_ended(),
        )

    def _why_ended(self) -> str:
        if self._out_of_time:
            return f"the budget of {self.options.budget:g} s"
        early = self.done < self.effort.most and not self.effort.enough
        return f"a finding after {self.done} cases" if early else self.effort.ended(self.done)

    def _effort_notes(self) -> Iterator[str]:
        """Why a campaign that chose its number of cases itself has ended; a finding ends it without a word."""
        if self.options.adaptive and self.broken is None and (self.effort.enough or self.done >= self.effort.most):
            yield f"{self._why_ended()}: {self.effort.met()}"

    def _clock_notes(self) -> Iterator[str]:
        """Where the clock had a say, the same seed need not give the same report."""
        if self._out_of_time:
            left = max(self.options.max_examples - self.done, 0)
            asked = f": {left} of {self.options.max_examples} cases were left out"
            met = f" after {self.done} cases: {self.effort.met()}"
            what = met if self.options.adaptive else asked
            yield f"the budget of {self.options.budget:g} s ended the run{what}; the same seed need not come as far again"
        if self.shrinking.hurried:
            yield f"a smaller network was sought for {SHRINK_SECONDS:g} s only; the same seed may find another one"


def _place_of_crash(case: Case) -> tuple[Place, ...]:
    """The smallest network that crashes: with one layer the output's equations, with more the first recursion."""
    depth = case.architecture.depth
    return (Place("BP2", depth - 1),) if depth > 1 else (Place("BP1", 1),)
