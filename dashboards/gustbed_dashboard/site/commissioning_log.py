"""What was asked about commissioning, whoever asked, and what the edge refused."""

from collections import OrderedDict

from gustbed_core.commissioning.messages import CommissionAck, CommissionCommand

CAPACITY = 200


class CommissioningLog:
    """The newest answers. Not thread-safe."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, CommissionCommand] = OrderedDict()
        self._refused: OrderedDict[str, str] = OrderedDict()

    def add(self, command: CommissionCommand) -> None:
        """Note a command; what was refused of its turbines before is no longer of interest."""
        self._asked[command.id] = command
        for turbine in command.turbines:
            self._refused.pop(turbine, None)
        while len(self._asked) > CAPACITY:
            self._asked.popitem(last=False)

    def answer(self, ack: CommissionAck) -> None:
        """Note the edge's answer; one to a command never seen is dropped."""
        command = self._asked.pop(ack.id, None)
        if command is None:
            return
        for turbine in ack.done:
            self._refused.pop(turbine, None)
        for refusal in ack.refused:
            self._refused[refusal.turbine] = f"{refusal.detail}: {refusal.remedy}"
        while len(self._refused) > CAPACITY:
            self._refused.popitem(last=False)

    def refusals(self) -> dict[str, str]:
        """Why the newest command was refused, by turbine."""
        return dict(self._refused)
