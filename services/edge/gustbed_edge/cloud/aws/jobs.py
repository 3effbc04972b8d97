"""AWS IoT Jobs as this edge uses them: start the next one, report how it ended, be notified."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Literal

from awscrt import mqtt_request_response
from awsiot import ServiceStreamOptions, V2ServiceException, iotjobs

from gustbed_edge.cloud.ports import Execution, JobOutcome, JobsUnavailableError

log = logging.getLogger(__name__)

REQUEST_SECONDS = 15
STEP_TIMEOUT_MINUTES = 10
"""After this a job that says nothing counts as timed out, and the next one may start."""
MAX_DETAIL = 1024


class AwsJobs:
    """Jobs of one thing over whichever MQTT client there is; ``online``: if it is connected."""

    def __init__(self, thing: str, online: Callable[[], bool]) -> None:
        self._thing = thing
        self._online = online
        self._jobs: Any = None

    @property
    def connected(self) -> bool:
        """Whether it is worth trying."""
        return self._jobs is not None and self._online()

    def use(self, client: Any, notify: Callable[[], None]) -> None:
        """Talk over this client from now on; None: there is none any more. ``notify`` is called
        when another job comes.
        """
        if client is None:
            self._jobs = None
            return
        options = mqtt_request_response.ClientOptions(
            max_request_response_subscriptions=4,
            max_streaming_subscriptions=1,
            operation_timeout_in_seconds=REQUEST_SECONDS,
        )
        jobs = iotjobs.IotJobsClientV2(client, options)
        self._stream = jobs.create_next_job_execution_changed_stream(
            iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=self._thing),
            ServiceStreamOptions(incoming_event_listener=lambda _event: notify()),
        )
        self._stream.open()
        self._jobs = jobs

    def start_next(self) -> Execution | None:
        """The job that is in progress or the next in the queue, or None.

        Raises ``JobsUnavailableError``.
        """
        request = iotjobs.StartNextPendingJobExecutionRequest(
            thing_name=self._thing, step_timeout_in_minutes=STEP_TIMEOUT_MINUTES
        )
        response = _wait(self._now().start_next_pending_job_execution(request))
        execution = response.execution
        if execution is None or not execution.job_id:
            return None
        return Execution(execution.job_id, execution.execution_number or 1, execution.job_document)

    def report(self, outcome: JobOutcome) -> bool:
        """Tell how a job ended. False if the service will never take it: it is over there.

        Raises ``JobsUnavailableError``.
        """
        try:
            self._update(outcome.job, outcome.execution, outcome.status, outcome.details)
        except V2ServiceException as error:
            code = getattr(error.modeled_error, "code", None)
            if code is None:
                raise JobsUnavailableError(str(error)) from error
            log.warning("job %s: the report %s was refused: %s", outcome.job, outcome.status, code)
            return False
        return True

    def _now(self) -> Any:
        jobs = self._jobs
        if jobs is None:
            raise JobsUnavailableError("not connected")
        return jobs

    def _update(
        self,
        job: str,
        execution: int,
        status: Literal["SUCCEEDED", "FAILED"],
        details: dict[str, str],
    ) -> None:
        request = iotjobs.UpdateJobExecutionRequest(
            thing_name=self._thing,
            job_id=job,
            execution_number=execution,
            status=status,
            status_details={key: _clean(value) for key, value in details.items()},
        )
        _wait(self._now().update_job_execution(request), refused=True)


def _wait(future: Future[Any], *, refused: bool = False) -> Any:
    try:
        return future.result(REQUEST_SECONDS + 5)
    except V2ServiceException as error:
        if refused:
            raise
        raise JobsUnavailableError(str(error)) from error
    except FutureTimeout as error:
        raise JobsUnavailableError("no answer") from error
    except Exception as error:
        raise JobsUnavailableError(str(error)) from error


def _clean(value: str) -> str:
    """AWS IoT takes up to 1024 printable characters, at least one."""
    printable = "".join(c if c.isprintable() else " " for c in value)
    return printable[:MAX_DETAIL] or "-"
