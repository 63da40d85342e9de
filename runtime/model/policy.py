"""A policy: a decision table that says who approves a document. The first rule that holds decides."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.sdk.model import Duration, Model

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]


class Approvers(Model):
    """So many people who hold that role must say yes."""

    role: Name = Field(description="role that the people who decide hold", examples=["procurement_manager"])
    needs: int = Field(default=1, ge=1, le=20, description="how many of them must approve", examples=[1])
    within: Duration | None = Field(
        default=None, description="how long they have before the request expires; absent: for ever", examples=["2d"]
    )


class Decision(Model):
    """What a rule asks for: each entry in turn. No entry means approved without a person."""

    approvers: list[Approvers] = Field(
        description="who approves, one after the other; empty: approved without a person",
        examples=[[{"role": "procurement_manager", "needs": 1}]],
    )
    reason: str = Field(
        default="",
        description="shown to the people who decide: a text, or an expression",
        examples=["='Total of ' & document.total & ' is above 5000'"],
    )


class Rule(Decision):
    """One row of the table."""

    name: Name = Field(description="unique in the policy; shown with the decision", examples=["large_order"])
    when: str = Field(
        description="expression over {document, requester}; the first rule that is true decides",
        examples=["=$number(document.total) >= 5000"],
    )


class Policy(Model):
    """``policies/NAME.json``. Rules are tried in order; ``otherwise`` decides where none holds."""

    schema_: str = Field(
        default="", alias="$schema", description="where editors find the schema", examples=["policy.schema.json"]
    )
    policy: Name = Field(
        description="name, as flows give it; the file is called the same", examples=["procurement"]
    )
    title: str = Field(default="", description="what people see", examples=["Approval of requisitions"])
    rules: list[Rule] = Field(
        default=[],
        description="the table, tried from the top",
        examples=[[{"name": "all", "when": "=true", "approvers": [{"role": "finance"}]}]],
    )
    otherwise: Decision = Field(description="decides where no rule holds", examples=[{"approvers": []}])
