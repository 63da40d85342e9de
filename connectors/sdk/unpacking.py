"""How much may come out of what was packed: counted while it comes, whatever its headers say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from connectors.sdk.errors import Rejected
from connectors.sdk.model import Parameters

#: Below that a high ratio is no bomb: a file of blanks packs well.
_HARMLESS = 1024 * 1024


class UnpackParameters(Parameters):
    """The bounds of unpacking."""

    largest: int = Field(
        default=256 * 1024 * 1024, ge=1, description="bytes that may come out altogether", examples=[268435456]
    )
    ratio: int = Field(
        default=200,
        ge=1,
        le=1100,
        description="how many times its packed size may come out, beyond the first megabyte",
        examples=[200],
    )


class Allowance:
    """What is left of the bounds for one packed content of ``packed`` bytes."""

    def __init__(self, parameters: UnpackParameters, packed: int, what: str) -> None:
        self._parameters = parameters
        self._packed = packed
        self._what = what
        self._out = 0

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks as they come. Raises ``Rejected`` at the first that goes beyond a bound: nothing more is
        unpacked then."""
        for chunk in chunks:
            self._out += len(chunk)
            self._refuse_too_much()
            yield chunk

    def _refuse_too_much(self) -> None:
        if self._out > self._parameters.largest:
            raise Rejected(
                f"{self._what} unpacks to more than {self._parameters.largest} bytes",
                next_action="raise 'largest', or have the sender split the file",
                code="too_large",
            )
        if self._out > max(_HARMLESS, self._packed * self._parameters.ratio):
            raise Rejected(
                f"{self._what} of {self._packed} bytes unpacks to more than {self._parameters.ratio} times as "
                "much, as decompression bombs do",
                next_action="ask the sender what it is; if it is sound, raise 'ratio'",
                code="ratio",
            )
