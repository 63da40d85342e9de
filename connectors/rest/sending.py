"""Bodies that are no JSON: stored bytes as they are, and multipart forms."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from pydantic import Field, field_validator
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from connectors.sdk import BlobRef, Content, Context, Model

_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+*-]+(; *[\w-]+=[\w.\"/+-]+)*")


class Part(Model):
    """One field of a form, or one file."""

    name: str = Field(min_length=1, description="name of the form's field", examples=["document"])
    content: Content = Field(description="a stored blob, or text that is sent as UTF-8", examples=["=edi.content"])
    file_name: str = Field(
        default="", description="name of the file; empty: the part is a plain field", examples=["order.pdf"]
    )
    media_type: str = Field(
        default="", description="its type; empty: that of the blob, none for text", examples=["application/pdf"]
    )

    @field_validator("media_type")
    @classmethod
    def _is_media_type(cls, value: str) -> str:
        if value and _MEDIA_TYPE.fullmatch(value) is None:
            raise ValueError(f"{value!r} is not a media type such as application/pdf")
        return value


def multipart(parts: Sequence[Part], context: Context) -> tuple[bytes, str]:
    """The body and its content type (RFC 7578). The boundary follows from the contents: a retry sends the same."""
    fields, seal = [], hashlib.sha256()
    for part in parts:
        data = context.content(part.content)
        seal.update(data)
        field = RequestField(part.name, data, filename=part.file_name or None)
        field.make_multipart(content_type=part.media_type or type_of(part.content) or None)
        fields.append(field)
    body, content_type = encode_multipart_formdata(fields, boundary=f"orderly-{seal.hexdigest()[:40]}")
    return body, content_type


def type_of(content: Content) -> str:
    return content.type if isinstance(content, BlobRef) else ""
