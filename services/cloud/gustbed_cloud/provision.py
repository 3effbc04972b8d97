"""Bring the cloud side to where it should be, once or again and again.

The local fleet runs this beside the emulator: whatever state the emulator wakes up with, the
stack is deployed and every edge that asked is enrolled again, without a person acting.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gustbed_cloud.aws import Session
from gustbed_cloud.client import Cloud
from gustbed_cloud.deploy import Plan, Report, deploy, make_plan
from gustbed_cloud.enrol import common_answer, enrol, is_answered, requests
from gustbed_cloud.outputs import Outputs
from gustbed_cloud.rollouts import launch_lost
from gustbed_cloud.settings import CloudSettings, IotSettings
from gustbed_cloud.stack_resources import missing_resource
from gustbed_cloud.teardown import destroy
from gustbed_core.errors import GustbedError

THOROUGH_EVERY = 30.0
"""Seconds between two looks at everything; between them only at what is missing."""


@dataclass
class Provisioner:
    """Converges; reports only what is new."""

    open_session: Callable[[], Session]
    settings: CloudSettings
    iot: IotSettings
    sagemaker_endpoint: str
    types_dir: Path | None
    report: Report
    _session: Session | None = field(default=None, init=False)
    _plan: Plan | None = field(default=None, init=False)
    _reported: str = field(default="", init=False)

    def converge(self, *, thorough: bool = True) -> Outputs:
        """Deploy and enrol what is not.

        ``thorough`` also checks what looks right. Raises ``GustbedError``; one bad request does
        not keep the others waiting.
        """
        session, outputs, changed = self._deployed(thorough)
        enrol_dir = self.settings.enrol_dir
        things = [
            thing
            for thing in requests(enrol_dir)
            if thorough or changed or not is_answered(enrol_dir, thing)
        ]
        if not things:
            return outputs
        common = common_answer(session, outputs, self.iot)
        refused: list[GustbedError] = []
        for thing in things:
            try:
                if enrol(session, outputs, common, enrol_dir, thing):
                    self.report(f"thing {thing}: enrolled")
            except GustbedError as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return outputs

    def _deployed(self, thorough: bool) -> tuple[Session, Outputs, bool]:
        session = self._session = self._session or self.open_session()
        stack = self.settings.stack
        if self._plan is None:
            self._plan = make_plan(
                session,
                stack,
                self.settings.cloud_dir,
                sagemaker_endpoint=self.sagemaker_endpoint,
                types_dir=self.types_dir,
            )
        deployed = deploy(session, self._plan, report=self.report)
        missing = missing_resource(session, stack) if thorough else None
        if missing is None:
            return session, deployed.outputs, deployed.changed
        if not self.settings.rebuild:
            raise GustbedError(
                f"stack {stack}: {missing} is gone",
                "destroy and deploy it, or set GUSTBED_REBUILD=true",
            )
        self.report(f"stack {stack}: {missing} is gone: making it anew")
        destroy(session, stack, report=self.report)
        return self._deployed(thorough)

    def watch(self, stop: threading.Event, every: float) -> None:
        """Converge every so many seconds until ``stop`` is set."""
        thorough_at = 0.0
        while not stop.is_set():
            thorough = time.monotonic() >= thorough_at
            try:
                outputs = self.converge(thorough=thorough)
                self._report_once("cloud is as it should be")
                if thorough:
                    self._launch_lost(outputs)
                    thorough_at = time.monotonic() + THOROUGH_EVERY
            except GustbedError as error:
                self._report_once(str(error))
                # Whoever failed may come back with another state.
                thorough_at = 0.0
            stop.wait(every)

    def _launch_lost(self, outputs: Outputs) -> None:
        if self.settings.rebuild and self._session is not None:
            for model in launch_lost(Cloud(self._session, outputs), time.time()):
                self.report(f"model {model}: its rollout was lost: starting it")

    def _report_once(self, line: str) -> None:
        if line != self._reported:
            self.report(line)
            self._reported = line
