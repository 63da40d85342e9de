"""What goes wrong between real wards and whoever listens to them: ways to send one message over a connection."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.mllp.framing import END, START, frame
from connectors.mllp.transport import Sender
from connectors.sdk import Misconfigured

#: Sends the message over the connection; the answers that come, in their order.
Way = Callable[[Sender, bytes], list[bytes]]


@dataclass(frozen=True)
class Sent:
    """One message of a day's traffic: how it was sent, and what its answers said (MSA-1)."""

    control_id: str
    fault: str
    codes: tuple[str, ...]


def _duplicate(sender: Sender, message: bytes) -> list[bytes]:
    """The first acknowledgement was lost, so to speak: the same again."""
    return [sender.exchange(message), sender.exchange(message)]


def _junk(sender: Sender, message: bytes) -> list[bytes]:
    """A serial converter in between adds noise."""
    sender.write(b"\x00\xff\r\nATZ\r\n" + frame(message))
    return [sender.receive()]


def _broken_off(sender: Sender, message: bytes) -> list[bytes]:
    """The ward's system starts anew in the middle of a message, and then sends it whole."""
    sender.write(START + message[: len(message) // 2] + frame(message))
    return [sender.receive()]


def _no_final_cr(sender: Sender, message: bytes) -> list[bytes]:
    """The end block without its CR."""
    sender.write(START + message + END)
    return [sender.receive()]


def _dripping(sender: Sender, message: bytes) -> list[bytes]:
    """In many small packets."""
    framed = frame(message)
    for start in range(0, len(framed), 7):
        sender.write(framed[start : start + 7])
    return [sender.receive()]


def _without_msh(sender: Sender, message: bytes) -> list[bytes]:
    """A message that nobody can read, and then the one that was meant."""
    sender.write(frame(message.partition(b"\r")[2]))
    return [sender.receive(), sender.exchange(message)]


FAULTS: dict[str, Way] = {
    "duplicate": _duplicate,
    "junk": _junk,
    "broken_off": _broken_off,
    "no_final_cr": _no_final_cr,
    "dripping": _dripping,
    "without_msh": _without_msh,
}


def chosen(faults: Mapping[str, float], chance: random.Random) -> str:
    """The name of a fault, each with its probability, or nothing. Raises ``Misconfigured`` for an unknown one."""
    if unknown := sorted(faults.keys() - FAULTS.keys()):
        raise Misconfigured(
            f"a ward cannot do {', '.join(unknown)}", next_action=f"choose of: {', '.join(sorted(FAULTS))}"
        )
    at = chance.random()
    for name, probability in faults.items():
        at -= probability
        if at < 0:
            return name
    return ""
