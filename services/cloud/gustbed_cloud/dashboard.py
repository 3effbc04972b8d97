"""What the CloudWatch dashboard lets people choose: a turbine type, and one of its measurements."""

import json
from collections.abc import Iterable

from gustbed_core.turbine_types import TurbineType

MAX_CHARACTERS = 4096
"""Of a CloudFormation parameter."""


def dashboard_choices(types: Iterable[TurbineType]) -> dict[str, str]:
    """The stack's parameters that fill the dashboard's variables, one choice per type and
    aggregate. The last of them are left out where they do not fit.
    """
    known = list(types)
    measured = dict.fromkeys(each.name for kind in known for each in kind.aggregates)
    return {
        "TurbineTypeChoice": _choice({kind.name: kind.title for kind in known}),
        "MeasurementChoice": _choice({name: name.replace("_", " ") for name in measured}),
    }


def _choice(labels: dict[str, str]) -> str:
    """Members of a dashboard variable: a list to select from."""
    values = [{"value": value, "label": label} for value, label in labels.items()]
    while True:
        variable = {"inputType": "select", "defaultValue": next(iter(labels)), "values": values}
        text = json.dumps(variable)[1:-1]
        if len(text) <= MAX_CHARACTERS:
            return text
        values.pop()
