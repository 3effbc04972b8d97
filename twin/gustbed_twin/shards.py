"""A farm split over processes: shard i of N."""

import re

from gustbed_core.errors import GustbedError


def shard_of(turbines: int, shard: tuple[int, int]) -> range:
    """The numbers of shard ``i`` of ``N``, neighbours together."""
    part, parts = shard
    return range((part - 1) * turbines // parts, part * turbines // parts)


def suffix(shard: str) -> str:
    """What tells the files of a shard ``i/N`` from its neighbours'; empty for a whole farm."""
    return "" if shard == "1/1" else f"-{shard.replace('/', 'of')}"


def parse_shard(where: str, text: str) -> tuple[int, int]:
    """Read ``i/N``. Raises ``GustbedError`` naming ``where`` it was given."""
    match = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise GustbedError(f"{where} {text!r}", "write i/N, such as 2/4, with i from 1 to N")
    return int(match[1]), int(match[2])
