"""What a variable-speed machine can be told."""

LIMITS = {"curtail": (0.0, 1e6), "yaw_offset": (-45.0, 45.0), "pitch_offset": (-5.0, 30.0)}
"""Values that commands take: kW, degrees, degrees."""
ACTIONS: tuple[str, ...] = ("stop", "start", "reset", *LIMITS)


def refusal(action: str, value: float | None) -> str:
    """Why a command cannot be taken, or nothing."""
    if action not in ACTIONS:
        return f"no command {action!r}"
    if action not in LIMITS:
        return ""
    low, high = LIMITS[action]
    if value is None:
        return f"{action} needs a value"
    if not low <= value <= high:
        return f"{action} {value:g} is not from {low:g} to {high:g}"
    return ""
