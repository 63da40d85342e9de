"""Who is the requester, and who may repair: roles and names, whatever their spelling."""

from __future__ import annotations

import pytest

from runtime.access import User
from runtime.governance.approvals import NotEntitled, check_entitled, is_requester
from runtime.governance.roles import ROLES, may
from runtime.model.run import ApprovalRow

ANNA = User("1", "anna.berg", "anna.berg@mercy.example", "Anna Berg", ("procurement_manager",))
OMAR = User("2", "omar.said", "", "Omar Said", ("procurement_manager",))


@pytest.mark.parametrize(
    "named",
    [
        "anna.berg", "ANNA.BERG", "anna.berg@mercy.example", " Anna.Berg@Mercy.Example ", "Anna Berg", "ANNA  BERG",
        "\uff21nna Berg", "Anna\u00a0Berg",
    ],
)  # fmt: skip
def test_a_requester_is_known_by_login_mail_address_and_name_in_any_spelling(named: str) -> None:
    """A document may hold no mail address: the ward's order names a person."""
    approval = ApprovalRow("approve", "", "procurement", "p", {}, "d", named, "procurement_manager")

    assert is_requester(ANNA, named)
    assert not is_requester(OMAR, named)
    with pytest.raises(NotEntitled) as refused:
        check_entitled(ANNA, approval)
    assert refused.value.kind == "own_request"
    check_entitled(OMAR, approval)


def test_nobody_is_the_requester_by_having_no_mail_address() -> None:
    assert not is_requester(OMAR, "")
    assert not is_requester(OMAR, "  ")


@pytest.mark.parametrize("action", ROLES)
def test_repair_needs_a_role(action: str) -> None:
    def user(*roles: str) -> User:
        return User("3", "x", "", "X", roles)

    of_peers = action.startswith("connection.")
    assert may(user("operator"), action)
    assert may(user("requester", "procurement_manager"), action) is not of_peers, "peers are an operator's"
    assert not may(user(), action)
    assert not may(user("requester", "finance", ""), action)
    assert may(user("finance"), action, owner="finance")
