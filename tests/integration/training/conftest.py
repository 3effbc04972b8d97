"""Training's tests run in an empty folder."""

from tests.support.elsewhere import elsewhere

__all__ = ["elsewhere"]
