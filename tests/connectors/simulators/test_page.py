"""The page of the simulators names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from connectors.sdk.simulator import SIMULATORS
from connectors.simulators import supplier
from connectors.simulators.contract_prices import ContractPrices
from connectors.simulators.erp import Erp
from connectors.simulators.supplier import Supplier
from connectors.simulators.supplier_damage import DAMAGES
from connectors.simulators.supplier_rules import ANSWERS, KINDS

PAGE = (Path(supplier.__file__).parent / "README.md").read_text(encoding="utf-8")


def rows(head: str) -> set[str]:
    """What stands in the first column of a table."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)", table, re.M))


def test_every_damage_and_no_other_is_named() -> None:
    assert rows("damage") == set(DAMAGES)


def test_every_type_that_is_installed_is_named() -> None:
    from importlib.metadata import entry_points

    assert rows("type") == set(entry_points(group=SIMULATORS).names)


def test_kinds_answers_and_calls_are_those_there_are() -> None:
    for word in (*KINDS, *ANSWERS):
        assert f"`{word}`" in PAGE or f'"{word}"' in PAGE, word
    for name in rows("call"):
        assert hasattr(Supplier, name), name
    for peer, names in ((Erp, ("go_down", "come_up", "slow", "hang_up_after", "fault_next")),
                        (ContractPrices, ("limit_next", "forget_tokens"))):  # fmt: skip
        for name in names:
            assert hasattr(peer, name), name
            assert f"`{name}(" in PAGE, name
