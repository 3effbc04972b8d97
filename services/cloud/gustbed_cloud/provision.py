"""Bring the cloud side to where it should be, once or again and again.

A site runs this to enrol its devices. Where ``GUSTBED_DEPLOY`` is set, as the local fleet does
beside the emulator, it also deploys the stack; elsewhere that is one explicit command.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gustbed_cloud.aws import Session
from gustbed_cloud.client import Cloud
from gustbed_cloud.deploy import Plan, Report, StackError, deploy, make_plan
from gustbed_cloud.device_keys import Word
from gustbed_cloud.enrol import common_answer, enrol, remember
from gustbed_cloud.outputs import Outputs, stack_outputs
from gustbed_cloud.requests import is_answered, requests
from gustbed_cloud.rollouts import launch_lost
from gustbed_cloud.settings import CloudSettings, IotSettings
from gustbed_cloud.stack_resources import missing_resource
from gustbed_cloud.teardown import destroy
from gustbed_core.enrolment import request_path
from gustbed_core.errors import GustbedError

THOROUGH_EVERY = 30.0
"""Seconds between two looks at everything; between them only at what is missing."""
LONGEST_PAUSE = 600.0
"""Seconds at most between two attempts at a stack that fails."""


@dataclass
class Provisioner:
    """Converges; reports only what is new."""

    open_session: Callable[[], Session]
    settings: CloudSettings
    iot: IotSettings
    site_thing: str
    sagemaker_endpoint: str
    types_dir: Path | None
    report: Report
    _session: Session | None = field(default=None, init=False)
    _plan: Plan | None = field(default=None, init=False)
    _reported: str = field(default="", init=False)
    _refused: dict[str, int] = field(default_factory=dict, init=False)
    """By thing, the request that was refused, by its time of change."""

    def converge(self, *, thorough: bool = True) -> Outputs:
        """Deploy, if that is this one's task, and enrol who may be.

        ``thorough`` also checks what looks right. Raises ``GustbedError``; one bad request does
        not keep the others waiting.
        """
        session, outputs, changed = self._stack(thorough)
        enrol_dir = self.settings.enrol_dir
        things = [
            thing
            for thing in requests(enrol_dir)
            if thorough or changed or self._is_new(enrol_dir, thing)
        ]
        if not things:
            return outputs
        common = common_answer(session, outputs, self.iot)
        word = Word(anybody=self.settings.enrol == "any", site_thing=self.site_thing)
        refused: list[GustbedError] = []
        for thing in things:
            self._refused.pop(thing, None)
            try:
                if enrol(session, outputs, common, enrol_dir, thing, word):
                    self.report(f"thing {thing}: enrolled")
            except GustbedError as error:
                self._refused[thing] = _changed_at(enrol_dir, thing)
                refused.append(error)
        if refused:
            raise refused[0]
        return outputs

    def _is_new(self, enrol_dir: Path, thing: str) -> bool:
        if self._refused.get(thing) == _changed_at(enrol_dir, thing):
            return False
        return not is_answered(enrol_dir, thing)

    def _stack(self, thorough: bool) -> tuple[Session, Outputs, bool]:
        session = self._session = self._session or self.open_session()
        if self.settings.deploy:
            return self._deployed(session, thorough)
        return session, stack_outputs(session, self.settings.stack), False

    def _deployed(self, session: Session, thorough: bool) -> tuple[Session, Outputs, bool]:
        stack, rebuild = self.settings.stack, self.settings.rebuild
        if self._plan is None:
            self._plan = make_plan(
                session,
                stack,
                self.settings.cloud_dir,
                sagemaker_endpoint=self.sagemaker_endpoint,
                types_dir=self.types_dir,
                chosen=self.settings.parameters(),
            )
        deployed = deploy(session, self._plan, clear_away=rebuild, report=self.report)
        missing = missing_resource(session, stack) if thorough else None
        if missing is None:
            return session, deployed.outputs, deployed.changed
        if not rebuild:
            raise GustbedError(
                f"stack {stack}: {missing} is gone",
                "destroy and deploy it, or set GUSTBED_REBUILD=true",
            )
        self.report(f"stack {stack}: {missing} is gone: making it anew")
        # The things go, too; whose keys are out must outlive them.
        remember(session, self.settings.enrol_dir, requests(self.settings.enrol_dir))
        destroy(session, stack, keep_models=True, report=self.report)
        return self._deployed(session, thorough)

    def watch(self, stop: threading.Event, every: float) -> None:
        """Converge every so many seconds until ``stop`` is set; less often while a stack fails."""
        thorough_at, pause = 0.0, every
        while not stop.is_set():
            thorough = time.monotonic() >= thorough_at
            problem = ""
            try:
                outputs = self.converge(thorough=thorough)
                # What was refused stays to be read until somebody acts.
                if not self._refused:
                    self._report_once("cloud is as it should be")
                pause = every
                if thorough:
                    self._launch_lost(outputs)
                    thorough_at = time.monotonic() + THOROUGH_EVERY
            except StackError as error:
                problem = str(error)
                self._report_once(problem)
                pause = min(2 * pause, LONGEST_PAUSE)
            except GustbedError as error:
                self._report_once(str(error))
                # A refusal is for an operator, and no restart mends it: this service is well.
                problem = "" if self._refused else str(error)
                pause = every
                # Whoever failed may come back with another state; who was refused will not.
                thorough_at = time.monotonic() + THOROUGH_EVERY if self._refused else 0.0
            self._tell(problem)
            stop.wait(pause)

    def _tell(self, problem: str) -> None:
        """Leave what is wrong where a health check reads it, whole at any time."""
        path = self.settings.problem_file
        if path is None:
            return
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            unfinished.write_text(problem, encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            self._report_once(f"GUSTBED_PROBLEM_FILE {path}: {error.strerror}")

    def _launch_lost(self, outputs: Outputs) -> None:
        if self.settings.rebuild and self._session is not None:
            for model in launch_lost(Cloud(self._session, outputs), time.time()):
                self.report(f"model {model}: its rollout was lost: starting it")

    def _report_once(self, line: str) -> None:
        if line != self._reported:
            self.report(line)
            self._reported = line


def _changed_at(enrol_dir: Path, thing: str) -> int:
    try:
        return request_path(enrol_dir, thing).stat().st_mtime_ns
    except OSError:
        return 0
