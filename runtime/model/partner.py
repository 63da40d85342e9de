"""A trading partner's profile. What a format needs of it stands under the format's name."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Partner(BaseModel):
    """``partners/NAME.json``. Further keys (``x12``) belong to the connector of that name, which reads them."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    schema_: str = Field(
        default="", alias="$schema", description="where editors find the schema", examples=["partner.schema.json"]
    )
    partner: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=80)] = Field(
        description="name, as documents and nodes give it; the file is called the same", examples=["acme"]
    )
    name: str = Field(description="what people see", examples=["Acme Medical Supply"])
    supplier_number: str = Field(
        default="", description="number of the supplier in the client's master data", examples=["4010"]
    )
