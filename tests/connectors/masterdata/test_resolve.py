"""masterdata.resolve: codes in, records out, in the same order."""

from __future__ import annotations

import pytest

from connectors.masterdata.connector import Resolve, ResolveParameters, connector
from connectors.sdk import BusinessError, Effect
from tests.harness import MemoryContext

CONTEXT = MemoryContext(
    masterdata={"item": {"A": {"description": "gloves"}, "B": {"code": "B", "description": "syringes"}}}
)


def test_records_come_in_the_order_of_the_codes_and_carry_them() -> None:
    found = Resolve().run(ResolveParameters(kind="item", codes=["B", "A", "B"]), CONTEXT)

    assert found == [
        {"code": "B", "description": "syringes"},
        {"code": "A", "description": "gloves"},
        {"code": "B", "description": "syringes"},
    ]


def test_a_single_code_and_none_are_lists_too() -> None:
    """JSONata hands over one element without its list, and nothing for an empty one."""
    one = ResolveParameters.model_validate({"kind": "item", "codes": "A"})
    nothing = ResolveParameters.model_validate({"kind": "item", "codes": None})

    assert Resolve().run(one, CONTEXT) == [{"code": "A", "description": "gloves"}]
    assert Resolve().run(nothing, CONTEXT) == []


def test_an_unknown_code_is_a_business_exception_that_names_it() -> None:
    with pytest.raises(BusinessError) as caught:
        Resolve().run(ResolveParameters(kind="item", codes=["A", "X9"]), CONTEXT)

    error = caught.value
    assert (error.kind, error.owner, error.field) == ("unknown_item", "master_data", "codes/1")
    assert "'X9'" in error.message
    assert "X9" in error.next_action
    assert error.details == {"kind": "item", "code": "X9", "scheme": ""}


def test_an_unknown_code_may_be_null_in_its_place() -> None:
    parameters = ResolveParameters(kind="item", codes=["X9", "A"], missing="null")

    assert Resolve().run(parameters, CONTEXT) == [None, {"code": "A", "description": "gloves"}]


def test_it_reads_only() -> None:
    assert connector.operation("resolve").effect is Effect.NONE
