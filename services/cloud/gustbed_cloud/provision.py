"""Bring the cloud side to where it should be, once or again and again.

The local fleet runs this beside the emulator: whatever state the emulator wakes up with, the
stack is deployed and every edge that asked is enrolled again, without a person acting.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from gustbed_cloud.aws import Session
from gustbed_cloud.deploy import Say, deploy
from gustbed_cloud.enrol import common_answer, enrol, requests
from gustbed_cloud.outputs import Outputs
from gustbed_cloud.presence import missing_resource
from gustbed_cloud.settings import CloudSettings, IotSettings
from gustbed_cloud.teardown import destroy
from gustbed_protocol.errors import GustbedError


@dataclass
class Provisioner:
    """Converges; says only what is new."""

    open_session: Callable[[], Session]
    settings: CloudSettings
    iot: IotSettings
    sagemaker_endpoint: str
    say: Say
    _said: str = field(default="", init=False)

    def converge(self) -> Outputs:
        """Deploy and enrol what is not. Raises ``GustbedError``; requests fail one by one."""
        session = self.open_session()
        outputs = self._deployed(session)
        common = common_answer(session, outputs, self.iot)
        refused: list[GustbedError] = []
        for thing in requests(self.settings.enrol_dir):
            try:
                if enrol(session, outputs, common, self.settings.enrol_dir, thing):
                    self.say(f"thing {thing}: enrolled")
            except GustbedError as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return outputs

    def _deployed(self, session: Session) -> Outputs:
        stack, cloud_dir = self.settings.stack, self.settings.cloud_dir
        outputs = deploy(
            session,
            stack,
            cloud_dir,
            sagemaker_endpoint=self.sagemaker_endpoint,
            say=self._say_news,
        )
        missing = missing_resource(session, stack)
        if missing is None:
            return outputs
        if not self.settings.rebuild:
            raise GustbedError(
                f"stack {stack}: {missing} is gone",
                "destroy and deploy it, or set GUSTBED_REBUILD=true",
            )
        self.say(f"stack {stack}: {missing} is gone: making it anew")
        destroy(session, stack, say=self.say)
        return self._deployed(session)

    def _say_news(self, line: str) -> None:
        if "up to date" not in line:
            self.say(line)

    def watch(self, stop: threading.Event, every: float) -> None:
        """Converge every so many seconds until told to stop."""
        while not stop.is_set():
            try:
                self.converge()
                self._note("cloud is as it should be")
            except GustbedError as error:
                self._note(str(error))
            stop.wait(every)

    def _note(self, line: str) -> None:
        if line != self._said:
            self.say(line)
            self._said = line
