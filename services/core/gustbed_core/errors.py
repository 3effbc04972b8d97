"""Errors that carry what a person needs to mend them."""


class GustbedError(Exception):
    """A failure that a person can mend.

    ``what`` names the file, field or variable; ``remedy`` says what to do about it.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}: {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy


class PayloadError(GustbedError):
    """A message that does not keep its contract. ``reason`` is a stable code to count by."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
