"""``hl7.split``: a file of messages taken apart for ``for_each``, what is no message put aside, and an answer."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from connectors.hl7.codec import (
    Batch,
    Fault,
    Hl7Error,
    Message,
    Part,
    acknowledge,
    acknowledge_batch,
    strictly,
    view,
)
from connectors.sdk import BlobRef, Context, Output, Parameters, Read

MEDIA_TYPE = "application/hl7-v2"


class SplitParameters(Parameters):
    content: BlobRef = Field(description="The file.", examples=["=$trigger.content"])
    charset: str | None = Field(
        default=None,
        description="Character set of the channel, by table 0211 or a common name; goes before MSH-18.",
        examples=["UNICODE UTF-8", "8859/1", "cp1252"],
    )
    strict: bool = Field(
        default=False,
        description="Put messages aside that would otherwise be read with a warning, or lack required fields.",
        examples=[True],
    )
    longest: int = Field(
        default=10_000_000, ge=1_000, description="Longest message in bytes; a longer one is put aside.",
        examples=[10_000_000],
    )  # fmt: skip


class MessageInFile(Output):
    content: BlobRef = Field(description="The message, for `hl7.read`.")
    type: str = Field(description="MSH-9.1 and MSH-9.2.", examples=["OMS^O05"])
    control_id: str = Field(description="MSH-10.", examples=["W1"])
    offset: int = Field(description="Byte of the file at which it begins.", examples=[0])


class PutAside(Output):
    offset: int = Field(description="Byte of the file at which it begins.", examples=[512])
    size: int = Field(description="Its length in bytes.", examples=[90])
    field: str = Field(description="Where it is wrong.", examples=["MSH-2"])
    code: str = Field(description="Table 0357.", examples=["100"])
    message: str = Field(description="What is wrong, without values.", examples=["there is no MSH segment"])


class SplitOutput(Output):
    messages: list[MessageInFile] = Field(description="In the order of the file.", examples=[[]])
    rejected: list[PutAside] = Field(description="What could not be read.", examples=[[]])
    reject_file: BlobRef | None = Field(description="The bytes of all that was put aside, or null.")
    warnings: list[str] = Field(description="Missing headers and trailers, wrong counts.", examples=[[]])
    acknowledgement: BlobRef = Field(description="A batch with AA for each message and AR for each put aside.")


class SplitFile(Read[SplitParameters]):
    """Take a file of HL7 v2 messages apart.

    Streams: of the file one message at a time is in memory, and nothing of it is written but to the sealed store.
    The acknowledgement says AA because the file is stored; what becomes of each message is its own run's matter.
    """

    name = "split"
    Parameters = SplitParameters
    Output = SplitOutput

    def run(self, parameters: SplitParameters, context: Context) -> SplitOutput:
        work = _Split(parameters.strict, context)
        with context.blobs.open(parameters.content) as file:
            batch = Batch(file, parameters.charset, longest=parameters.longest)
            for part in batch:
                work.take(part)
        return SplitOutput(
            messages=work.messages,
            rejected=work.rejected,
            reject_file=_put_aside(parameters.content, work.rejected, context) if work.rejected else None,
            warnings=list(batch.warnings),
            acknowledgement=context.blobs.put(work.acknowledgement(), MEDIA_TYPE),
        )


class _Split:
    def __init__(self, strict: bool, context: Context) -> None:
        self._strict, self._context = strict, context
        self._header: Message | None = None
        self._answers: list[bytes] = []
        self.messages: list[MessageInFile] = []
        self.rejected: list[PutAside] = []

    def take(self, part: Part) -> None:
        if part.message is not None and part.kind != "MSH":
            self._header = self._header or part.message
            return
        fault = part.fault
        if part.message is not None:
            try:
                view(strictly(part.message) if self._strict else part.message)
            except Hl7Error as error:
                fault = error
        if fault is not None:
            self._put_aside(part, fault)
        elif part.message is not None:
            self._keep(part, part.message)

    def _keep(self, part: Part, message: Message) -> None:
        stored = self._context.blobs.put(part.raw, MEDIA_TYPE)
        kept = MessageInFile(content=stored, type=message.type, control_id=message.control_id, offset=part.offset)
        self.messages.append(kept)
        self._answers.append(acknowledge(message, "AA", at=self._context.now(), control_id=self._next()))

    def _put_aside(self, part: Part, fault: Hl7Error) -> None:
        size = len(part.raw)
        self.rejected.append(
            PutAside(offset=part.offset, size=size, field=fault.field, code=fault.code, message=fault.message)
        )
        said = Fault(fault.code, fault.field, "not taken", fault.message)
        self._answers.append(
            acknowledge(part.message, "AR", "not taken", said, at=self._context.now(), control_id=self._next())
        )

    def _next(self) -> str:
        return str(len(self._answers) + 1)

    def acknowledgement(self) -> Iterator[bytes]:
        """The batch; its control id is the node's, so a retry writes the same."""
        number = str(self._context.allocate("hl7"))
        return acknowledge_batch(self._header, self._answers, at=self._context.now(), control_id=number)


def _put_aside(content: BlobRef, rejected: list[PutAside], context: Context) -> BlobRef:
    """The bytes of those parts, read once more from the file."""

    def parts() -> Iterator[bytes]:
        with context.blobs.open(content) as file:
            for one in rejected:
                file.seek(one.offset)
                yield file.read(one.size)

    return context.blobs.put(parts(), MEDIA_TYPE)
