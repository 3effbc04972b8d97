"""Deploy, enrol, provision, check and take down the cloud side."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from gustbed_cloud.aws import PATIENT, open_session
from gustbed_cloud.configured import configured_plan
from gustbed_cloud.deploy import deploy
from gustbed_cloud.device_keys import Word
from gustbed_cloud.enrol import common_answer, enrol
from gustbed_cloud.health import check
from gustbed_cloud.outputs import stack_outputs
from gustbed_cloud.provision import Provisioner
from gustbed_cloud.retire import retire
from gustbed_cloud.settings import CloudSettings, EndpointSettings, IotSettings
from gustbed_cloud.teardown import destroy
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 failed; argparse exits with 2."""
    options = _parser().parse_args(arguments)
    try:
        settings = load(CloudSettings)
        commands = {
            "deploy": _deploy,
            "enrol": _enrol,
            "retire": _retire,
            "provision": _provision,
            "destroy": _destroy,
            "health": _health,
        }
        commands[options.command](options, settings)
    except GustbedError as error:
        print(f"gustbed-cloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gustbed-cloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("deploy", help="create or update the stack")
    enrolling = commands.add_parser("enrol", help="answer an edge's certificate request")
    enrolling.add_argument("thing", help="name of the edge's thing, for instance gustbed-site-1")
    enrolling.add_argument(
        "--role",
        choices=("edge", "device"),
        help="edge: gets the fleet's rollouts; device: identity and topics only (as it was; edge)",
    )
    enrolling.add_argument(
        "--replace-key", action="store_true", help="its key has changed, and that is right"
    )
    retiring = commands.add_parser("retire", help="take a device out of the fleet for good")
    retiring.add_argument("thing", help="its name, for instance gustbed-site-2")
    provisioning = commands.add_parser(
        "provision", help="enrol who asks and may be; deploy first, where GUSTBED_DEPLOY says so"
    )
    provisioning.add_argument("--watch", action="store_true", help="go on until stopped")
    provisioning.add_argument(
        "--every", type=float, default=3.0, metavar="SECONDS", help="pause of --watch (3)"
    )
    destroying = commands.add_parser("destroy", help="delete the stack, its devices and artifacts")
    destroying.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("health", help="exit 0 if deployed and every edge is enrolled")
    return parser


def _deploy(_options: argparse.Namespace, settings: CloudSettings) -> None:
    session = open_session(PATIENT)
    if not deploy(session, configured_plan(session), report=_print_line).changed:
        _print_line(f"stack {settings.stack}: up to date")


def _enrol(options: argparse.Namespace, settings: CloudSettings) -> None:
    session = open_session(PATIENT)
    outputs = stack_outputs(session, settings.stack)
    common = common_answer(session, outputs, load(IotSettings))
    word = Word(said=True, replace_key=options.replace_key, anybody=settings.enrol == "any")
    made = enrol(session, outputs, common, settings.enrol_dir, options.thing, word, options.role)
    _print_line(f"thing {options.thing}: {'enrolled' if made else 'was enrolled already'}")


def _retire(options: argparse.Namespace, settings: CloudSettings) -> None:
    retire(open_session(PATIENT), settings.stack, settings.enrol_dir, options.thing)
    _print_line(f"thing {options.thing}: retired")


def _provision(options: argparse.Namespace, settings: CloudSettings) -> None:
    provisioner = Provisioner(
        open_session=lambda: open_session(PATIENT),
        settings=settings,
        iot=load(IotSettings),
        site_thing=load(SiteSettings).thing,
        sagemaker_endpoint=load(EndpointSettings).sagemaker,
        types_dir=load(SiteSettings).types_dir,
        report=_print_line,
    )
    if not options.watch:
        provisioner.converge()
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    provisioner.watch(stop, options.every)


def _destroy(options: argparse.Namespace, settings: CloudSettings) -> None:
    if not options.yes:
        question = f"Delete stack {settings.stack}, its devices and its artifacts? [y/N] "
        if not sys.stdin.isatty() or input(question).strip().lower() not in ("y", "yes"):
            raise GustbedError("destroy: not confirmed", "give --yes")
    destroy(open_session(PATIENT), settings.stack, report=_print_line)


def _health(_options: argparse.Namespace, settings: CloudSettings) -> None:
    print(json.dumps(check(open_session(), settings.stack, settings.enrol_dir)))


def _print_line(line: str) -> None:
    print(f"gustbed-cloud: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
