"""Start MiniStack, the AWS emulator, with the gaps closed that matter to a fleet of devices.

Left alone, MiniStack lets a device connect without a certificate, binds its MQTT listener to
every interface and saves its state only when it is stopped politely. It runs in an environment
of its own (it pins botocore), hence nothing of Gustbed's packages is imported here.
"""

import asyncio
import contextlib
import importlib
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import corrections
import gate
import invocations
import retention
import revocation
from access import AccessError, AccessKey, access_key, make_private
from keeping import keep_messages, route_left, save_forever, saver
from persistence import MessageJournal, Snapshots
from signed import by_session
from trouble import Trouble

ACCOUNT = "000000000000"
WORKER_IDLE = 30
"""Seconds that a function's second and further workers, of some 50 MB each, may idle."""
GRACE = 2.0
"""Seconds that open requests get when the emulator stops."""
REQUIRED = {
    "ministack.app": ("app", "save_all", "_build_persistence_save_dict"),
    "ministack.core.iam_evaluator": (
        "is_root_access_key",
        "_is_root_key",
        "EvalContext",
        "evaluate_resource_policy",
        "resolve_credential",
    ),
    "ministack.core.persistence": ("_json_default", "_state_format_version"),
    "ministack.services.cloudwatch_logs": (
        "_log_groups",
        "_log_events_lock",
        "_log_records",
        "_start_query",
        "_filter_log_events",
        "_compile_filter_pattern",
        "_split_insights_pipes",
        "_insights_filter_predicates",
        "copy",
    ),
    "ministack.services.lambda_svc": (
        "_execute_function",
        "_execute_function_with_config_scope",
        "_execution_record_for_config",
        "_get_func_record_for_ref_in_scope",
    ),
    "ministack.services.sqs": ("_queues", "load_persisted_state"),
    "ministack.services.sts": ("is_root_access_key",),
    "ministack.services.firehose": ("_lock", "_streams"),
    "ministack.services.s3": ("_buckets", "_purge_current_object"),
    "ministack.services.iot": (
        "_dispatch_rule_to_lambda",
        "_evaluate_topic_rules",
        "put_topic_rule",
        "_topic_rules",
        "_mtls_build_ssl_context",
        "_MtlsAcceptor",
        "_connected_clients",
        "_make_disconnect",
        "_mtls_active_registrations",
        "mtls_is_listening",
    ),
}
"""MiniStack's internals that this launcher leans on."""


class LauncherError(Exception):
    """A failure that a person can remedy, in one line."""


@dataclass(frozen=True)
class Settings:
    """Where the emulator listens, and where it keeps its state.

    ``advertised`` is the name under which devices reach it: it goes into presigned URLs and the
    MQTT listener's certificate. ``fleet``: the id of the fleet that it belongs to, if any.
    ``at_once``: functions that may run at the same time.
    """

    host: str
    port: int
    mtls_port: int
    data_dir: Path
    advertised: str
    region: str
    fleet: str
    at_once: int


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read ``GUSTBED_EMULATOR_*``. Raises ``LauncherError`` naming the variable."""
    host = env.get("GUSTBED_EMULATOR_HOST") or "127.0.0.1"
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    return Settings(
        host=host,
        port=_port(env, "GUSTBED_EMULATOR_PORT", 4566),
        mtls_port=_port(env, "GUSTBED_EMULATOR_MTLS_PORT", 8883),
        data_dir=Path(env.get("GUSTBED_EMULATOR_DATA_DIR") or ".gustbed/emulator").absolute(),
        advertised=env.get("GUSTBED_EMULATOR_NAME")
        or (socket.gethostname() if everywhere else host),
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "eu-central-1",
        fleet=env.get("GUSTBED_FLEET") or "",
        at_once=_count(env, "GUSTBED_EMULATOR_FUNCTIONS", invocations.AT_ONCE),
    )


def _port(env: Mapping[str, str], variable: str, default: int) -> int:
    value = env.get(variable) or str(default)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise LauncherError(f"{variable}: {value!r} is not a port: use 1 to 65535")
    return int(value)


def _count(env: Mapping[str, str], variable: str, default: int) -> int:
    value = env.get(variable) or str(default)
    if not value.isdecimal() or not 0 < int(value) < 1000:
        raise LauncherError(f"{variable}: {value!r} is no number from 1 to 999")
    return int(value)


def require_free_ports(settings: Settings) -> None:
    """Raise ``LauncherError`` naming the port that is taken and the variable that moves it."""
    for port, variable in (
        (settings.port, "GUSTBED_EMULATOR_PORT"),
        (settings.mtls_port, "GUSTBED_EMULATOR_MTLS_PORT"),
    ):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise LauncherError(
                    f"port {port} on {settings.host}: {error.strerror}: "
                    f"stop what uses it, or set {variable}"
                ) from error


def require_data_dir(settings: Settings) -> None:
    """Make the data folder, for nobody but us. Raises ``LauncherError`` if it cannot be written."""
    try:
        make_private(settings.data_dir)
        (settings.data_dir / "s3").mkdir(parents=True, exist_ok=True)
        probe = settings.data_dir / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise LauncherError(
            f"{settings.data_dir}: {error.strerror}: set GUSTBED_EMULATOR_DATA_DIR to a folder "
            "that can be written"
        ) from error


def ministack_environment(settings: Settings) -> dict[str, str]:
    """Return MiniStack's own variables."""
    return {
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": settings.host,
        "IOT_MTLS_PORT": str(settings.mtls_port),
        "MINISTACK_HOST": settings.advertised,
        "MINISTACK_REGION": settings.region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.data_dir / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.data_dir / "s3"),
        "SFTP_ENABLED": "0",
        # Without it neither IAM nor IoT policies are enforced.
        "AUTH": "true",
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_WARM_TTL_SECONDS": str(WORKER_IDLE),
        # Lambdas are processes here; an engine that happens to run is none of our business.
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "LOG_LEVEL": os.environ.get("GUSTBED_EMULATOR_LOG_LEVEL") or "WARNING",
    }


def prepare_environment(settings: Settings) -> None:
    """Set MiniStack's variables, and drop those that its Lambda functions must not inherit."""
    for variable in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        del os.environ[variable]
    os.environ.update(ministack_environment(settings))


def import_ministack() -> dict[str, Any]:
    """Import MiniStack. Raises ``LauncherError`` if it is absent or its internals have changed."""
    modules: dict[str, Any] = {}
    for name, attributes in REQUIRED.items():
        try:
            modules[name] = importlib.import_module(name)
        except ImportError as error:
            raise LauncherError(
                f"{name} cannot be imported ({error}): install requirements/emulator.lock into "
                "the emulator's environment"
            ) from error
        for attribute in attributes:
            if not hasattr(modules[name], attribute):
                raise LauncherError(
                    f"{name}.{attribute} is gone from this MiniStack: "
                    "install the version pinned in requirements/emulator.lock"
                )
    return modules


def require_client_certificates(iot: Any) -> None:
    """Make the MQTT listener refuse a client that presents no certificate."""
    build: Callable[[], ssl.SSLContext] = iot._mtls_build_ssl_context

    def build_strict() -> ssl.SSLContext:
        context = build()
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    iot._mtls_build_ssl_context = build_strict


def bind_mqtt_to(host: str, iot: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Bind the MQTT listener to ``host``, where MiniStack asks for all interfaces."""
    create: Callable[..., Coroutine[Any, Any, asyncio.Server]] = loop.create_server

    async def create_server(factory: Any, *args: Any, **options: Any) -> asyncio.Server:
        if factory is iot._MtlsAcceptor:
            options["host"] = host
        return await create(factory, *args, **options)

    setattr(loop, "create_server", create_server)  # noqa: B010 - mypy refuses the assignment


def state_writer(persistence: Any) -> Callable[[str, Any], bytes]:
    """Return MiniStack's way of writing a service's state."""

    def serialise(name: str, state: Any) -> bytes:
        content = {
            "__ministack_format__": persistence._state_format_version(name),
            "payload": state,
        }
        return json.dumps(content, default=persistence._json_default).encode()

    return serialise


async def until_listening(iot: Any, port: int, timeout: float = 30.0) -> None:
    """Return once MQTT is served. Raises ``LauncherError`` if that takes too long."""
    deadline = time.monotonic() + timeout
    while not iot.mtls_is_listening():
        if time.monotonic() > deadline:
            raise LauncherError(f"port {port}: the MQTT listener did not start: see the log above")
        await asyncio.sleep(0.05)


def correct(settings: Settings, modules: Mapping[str, Any], key: AccessKey) -> None:
    """Let MiniStack check who calls, and answer as AWS does or not at all."""
    iot, lambdas = modules["ministack.services.iot"], modules["ministack.services.lambda_svc"]
    evaluator = modules["ministack.core.iam_evaluator"]
    gate.require_signatures(evaluator, modules["ministack.services.sts"], key)
    corrections.logs(modules["ministack.services.cloudwatch_logs"])
    corrections.rule_sql(iot)
    corrections.queues(modules["ministack.services.sqs"])
    invocations.limit(lambdas, invocations.Turns(settings.at_once))
    messages = invocations.Messages(lambdas._execute_function_with_config_scope)
    messages.start(settings.at_once)
    invocations.call_by_rules(iot, lambdas, evaluator, messages)


async def serve(settings: Settings, modules: Mapping[str, Any], key: AccessKey) -> None:
    """Run until SIGTERM or SIGINT. Raises ``LauncherError`` if MQTT cannot be served."""
    hypercorn = importlib.import_module("hypercorn.asyncio")
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"{settings.host}:{settings.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = GRACE
    config.loglevel = os.environ["LOG_LEVEL"]

    correct(settings, modules, key)
    app, iot = modules["ministack.app"], modules["ministack.services.iot"]
    logs = modules["ministack.services.cloudwatch_logs"]
    firehose, s3 = modules["ministack.services.firehose"], modules["ministack.services.s3"]
    snapshots = Snapshots(settings.data_dir, state_writer(modules["ministack.core.persistence"]))
    messages = MessageJournal(settings.data_dir / "messages")
    trouble = Trouble("gustbed-emulator", settings.data_dir)
    app.save_all = saver(snapshots, trouble)
    retention.share_state(logs)
    loop = asyncio.get_running_loop()
    require_client_certificates(iot)
    bind_mqtt_to(settings.host, iot, loop)

    def trim() -> None:
        retention.trim(logs)
        retention.trim_lake(firehose, s3)

    stop = asyncio.Event()

    def end() -> None:
        messages.freeze()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    door = gate.Gate(
        app.app,
        settings.fleet,
        trouble,
        partial(by_session, modules["ministack.core.iam_evaluator"], ACCOUNT),
    )
    server = asyncio.create_task(hypercorn.serve(door, config, shutdown_trigger=stop.wait))

    async def attend() -> None:
        await until_listening(iot, settings.mtls_port)
        route = keep_messages(iot, messages, trouble)
        print(
            f"gustbed-emulator: AWS APIs on http://{settings.host}:{settings.port}, "
            f"MQTT on {settings.host}:{settings.mtls_port}, state in {settings.data_dir}",
            flush=True,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(route_left(iot, route, messages))
            tasks.create_task(save_forever(app, trim, snapshots, messages, trouble))
            tasks.create_task(revocation.cut_forever(iot))

    attendant = asyncio.create_task(attend())
    await asyncio.wait({server, attendant}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    attendant.cancel()
    await server
    with contextlib.suppress(asyncio.CancelledError):
        await attendant
    if not trouble.reason:
        messages.clear()


def main() -> int:
    """Run the emulator. Returns the exit code."""
    try:
        settings = read_settings(os.environ)
        require_free_ports(settings)
        require_data_dir(settings)
        key = access_key(os.environ, settings.data_dir)
        prepare_environment(settings)
        asyncio.run(serve(settings, import_ministack(), key))
    except (LauncherError, AccessError) as error:
        print(f"gustbed-emulator: {error}", file=sys.stderr)
        return 1
    # Worker threads of the emulator may still wait on a Lambda function; nothing is left to save.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
