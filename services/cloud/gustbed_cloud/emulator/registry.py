"""The local model registry: moto's SageMaker API, made to last and to speak up as AWS does.

Every call that changes something is kept in a journal and replayed at the next start. A change of
a model version's approval is announced on the default event bus of ``AWS_ENDPOINT_URL``, as AWS
announces it, and the announcement survives an emulator or a registry that is down for a while.
"""

import importlib
import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access import AccessError, AccessKey, access_key, make_private
from announcing import announce_forever
from deletions import with_deletions
from journal import Journal, JournalError
from signed import Refusal, Request, asking, refusal
from trouble import Trouble

ACCOUNT = "000000000000"
"""The emulator's."""
ANNOUNCED = ("CreateModelPackage", "UpdateModelPackage")
READING = ("Describe", "List", "Search", "Get", "BatchDescribe", "Query")
HEALTH_PATH = "/health"
FLEET_HEADER = "Gustbed-Fleet"
MAX_BODY = 4 * 1024 * 1024

StartResponse = Callable[..., Any]
Environ = dict[str, Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class Call:
    """One call of the SageMaker API."""

    action: str
    body: bytes
    region: str


@dataclass(frozen=True)
class Answer:
    """Its outcome."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the call was carried out."""
        return self.status.startswith("2")


class Registry:
    """A WSGI application around moto's, with a memory."""

    def __init__(
        self,
        backend: App,
        journal: Journal,
        clock: "Clock",
        key: AccessKey,
        ask: Callable[[Request], Refusal],
        trouble: Trouble,
        fleet: str = "",
    ) -> None:
        self._backend = backend
        self._key = key
        self._ask = ask
        self._trouble = trouble
        self._fleet = fleet
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self.unsent: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self._events = 0

    def replay(self) -> int:
        """Carry out what the journal tells; queue what was not announced. Returns the calls."""
        events: dict[int, dict[str, Any]] = {}
        count = 0
        for entry in self._journal.entries():
            if "sent" in entry:
                events.pop(entry["sent"], None)
                continue
            call = Call(entry["action"], json.dumps(entry["body"]).encode(), entry["region"])
            with self._clock.at(datetime.fromisoformat(entry["at"])):
                answer = self._forward(call)
            if not answer.ok:
                raise JournalError(f"{entry['action']} of {entry['at']} cannot be replayed")
            count += 1
            if "event" in entry:
                self._events = entry["event"]["id"]
                events[self._events] = entry["event"]
        for number, event in events.items():
            self.unsent.put((number, event))
        return count

    def sent(self, number: int) -> None:
        """Remember that an event was announced."""
        self._journal.append({"sent": number})

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve SageMaker's API and the health check, and nothing else that moto offers."""
        answer = self._health() if environ["PATH_INFO"] == HEALTH_PATH else self._serve(environ)
        whose = [(FLEET_HEADER, self._fleet)] if self._fleet else []
        start_response(answer.status, [*answer.headers, *whose])
        return [answer.body]

    def _health(self) -> Answer:
        kind = [("Content-Type", "application/json")]
        if not self._trouble.reason or self._trouble.look():
            return Answer("200 OK", kind, b'{"status": "ok", "reasons": []}')
        sick = {"status": "degraded", "reasons": [self._trouble.reason]}
        return Answer("503 Service Unavailable", kind, json.dumps(sick).encode())

    def _serve(self, environ: Environ) -> Answer:
        service, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if service != "SageMaker" or not action.isalpha():
            return _refusal("404 Not Found", "UnknownOperation", "this is the SageMaker API only")
        if length > MAX_BODY:
            return _refusal("413 Content Too Large", "ValidationException", "request too large")
        body = environ["wsgi.input"].read(length)
        refused = refusal(Request.of(environ, body), self._key, self._ask)
        if refused is not None:
            return _refusal("400 Bad Request", *refused)
        call = Call(action, body, _region(environ.get("HTTP_AUTHORIZATION", "")))
        if action.startswith(READING):
            return self._forward(call)
        with self._lock:
            return self._change(call)

    def _change(self, call: Call) -> Answer:
        # Before it is carried out: memory must not get ahead of the disk.
        if not self._trouble.look():
            return _refusal(
                "503 Service Unavailable", "ServiceUnavailableException", self._trouble.reason
            )
        now = datetime.now(UTC)
        described = self._described(call)
        before = described.get("ModelApprovalStatus") if described else None
        if described:
            call = keep_unsaid(call, described)
        with self._clock.at(now):
            answer = self._forward(call)
        if not answer.ok:
            return answer
        body = json.loads(call.body)
        entry = {"at": now.isoformat(), "action": call.action, "region": call.region, "body": body}
        event = self._event(call, answer, before)
        if event is not None:
            entry["event"] = event
        try:
            self._journal.append(entry)
        except OSError as error:
            # Memory is ahead of the disk now; only a new start can repair that.
            print(f"gustbed-registry: the journal cannot be written: {error}", file=sys.stderr)
            os._exit(1)
        if event is not None:
            self.unsent.put((event["id"], event))
        return answer

    def _described(self, call: Call) -> dict[str, Any] | None:
        """The model version that a call is to update, as it is before."""
        if call.action != "UpdateModelPackage":
            return None
        return self._describe(json.loads(call.body).get("ModelPackageArn", ""), call.region)

    def _event(self, call: Call, answer: Answer, before: str | None) -> dict[str, Any] | None:
        """What AWS tells the event bus when a version is made or its approval changes."""
        if call.action not in ANNOUNCED:
            return None
        arn = json.loads(answer.body)["ModelPackageArn"]
        described = self._describe(arn, call.region) or {}
        status = described.get("ModelApprovalStatus")
        if status == before:
            return None
        names = ("ModelPackageGroupName", "ModelPackageVersion", "ModelPackageStatus")
        detail = {
            "ModelPackageArn": arn,
            "ModelApprovalStatus": status,
            **{name: described[name] for name in names if name in described},
        }
        self._events += 1
        return {"id": self._events, "region": call.region, "resource": arn, "detail": detail}

    def _describe(self, arn: str, region: str) -> dict[str, Any] | None:
        body = json.dumps({"ModelPackageName": arn}).encode()
        answer = self._forward(Call("DescribeModelPackage", body, region))
        return dict(json.loads(answer.body)) if answer.ok else None

    def _forward(self, call: Call) -> Answer:
        werkzeug = importlib.import_module("werkzeug.test")
        scope = f"test/20200101/{call.region}/sagemaker/aws4_request"
        builder = werkzeug.EnvironBuilder(
            path="/",
            method="POST",
            data=call.body,
            content_type="application/x-amz-json-1.1",
            headers={
                "X-Amz-Target": f"SageMaker.{call.action}",
                # Tells moto the service and region; it verifies nothing.
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
                "Signature=none",
            },
        )
        chunks, status, headers = werkzeug.run_wsgi_app(self._backend, builder.get_environ())
        kept = [(k, v) for k, v in headers if k.lower() not in ("content-length", "server")]
        return Answer(status, kept, b"".join(chunks))


def keep_unsaid(call: Call, described: Mapping[str, Any]) -> Call:
    """Add to an update what AWS would keep and moto would lose: whatever it does not mention."""
    body = json.loads(call.body)
    for field in ("ModelApprovalStatus", "ApprovalDescription"):
        if field in described:
            body.setdefault(field, described[field])
    properties = described.get("CustomerMetadataProperties") or {}
    body["CustomerMetadataProperties"] = {
        **properties,
        **(body.get("CustomerMetadataProperties") or {}),
    }
    return replace(call, body=json.dumps(body).encode())


class Clock:
    """Makes moto stamp replayed calls with the time at which they were first made."""

    def __init__(self, models: Any) -> None:
        self._now: datetime | None = None
        self._real = models.utcnow
        models.utcnow = self.utcnow

    def utcnow(self) -> datetime:
        """Moto's clock: naive, in UTC."""
        return self._now or self._real()

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Hold the clock at a moment."""
        self._now = moment.astimezone(UTC).replace(tzinfo=None)
        try:
            yield
        finally:
            self._now = None


def _region(authorization: str) -> str:
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    return scope[2] if len(scope) == 5 else os.environ.get("AWS_REGION", "eu-central-1")


def _refusal(status: str, code: str, message: str) -> Answer:
    body = json.dumps({"__type": code, "message": message}).encode()
    return Answer(status, [("Content-Type", "application/x-amz-json-1.1")], body)


def load_backend() -> tuple[App, Any]:
    """Import moto's SageMaker. Raises ``JournalError`` if it is absent or has changed."""
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
    try:
        server = importlib.import_module("moto.moto_server.werkzeug_app")
        models = importlib.import_module("moto.sagemaker.models")
        app = with_deletions(server.create_backend_app("sagemaker"), models, ACCOUNT)
        models.utcnow  # noqa: B018 - is it there?
    except (ImportError, AttributeError) as error:
        raise JournalError(
            f"moto: {error}: install requirements/emulator.lock into the emulator's environment"
        ) from error
    return app, models


def make_server(host: str, port: int, app: App) -> Any:
    """Listen. Raises ``JournalError`` naming the port if it is taken."""
    serving = importlib.import_module("werkzeug.serving")

    class Quiet(serving.WSGIRequestHandler):  # type: ignore[name-defined,misc]
        def log_request(self, *_: object) -> None:
            """Every health check would be a line."""

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise JournalError(
                f"port {port} on {host}: {error.strerror}: "
                "stop what uses it, or set GUSTBED_REGISTRY_PORT"
            ) from error
    return serving.make_server(host, port, app, threaded=True, request_handler=Quiet)


def run(env: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    host = env.get("GUSTBED_REGISTRY_HOST") or "127.0.0.1"
    value = env.get("GUSTBED_REGISTRY_PORT") or "4567"
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise JournalError(f"GUSTBED_REGISTRY_PORT: {value!r} is not a port: use 1 to 65535")
    folder = Path(env.get("GUSTBED_REGISTRY_DATA_DIR") or ".gustbed/registry").absolute()
    key = access_key(env, folder)
    try:
        make_private(folder)
    except OSError as error:
        raise JournalError(
            f"{folder}: {error.strerror}: set GUSTBED_REGISTRY_DATA_DIR to a folder that can be "
            "written"
        ) from error
    backend, models = load_backend()
    journal = Journal(folder / "journal.jsonl")
    trouble = Trouble("gustbed-registry", folder)
    fleet = env.get("GUSTBED_FLEET") or ""
    ask = asking(env.get("AWS_ENDPOINT_URL") or "http://127.0.0.1:4566")
    registry = Registry(backend, journal, Clock(models), key, ask, trouble, fleet)
    server = make_server(host, int(value), registry)
    replayed = registry.replay()

    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        # shutdown() waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    announcer = threading.Thread(
        target=announce_forever, args=(registry.unsent, registry.sent, stop), daemon=True
    )
    announcer.start()
    print(
        f"gustbed-registry: SageMaker API on http://{host}:{value}, "
        f"{replayed} changes replayed from {folder}",
        flush=True,
    )
    server.serve_forever()


def main() -> int:
    """Run the registry. Returns the exit code."""
    try:
        run(os.environ)
    except (JournalError, AccessError) as error:
        print(f"gustbed-registry: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
