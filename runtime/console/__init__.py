"""The console: pages where people watch runs, decide, and repair. The same addresses answer JSON to programs.

One module per subject, its templates in a folder of the same name. Everything a page shows or changes goes
through the store of the client that the session belongs to.
"""

from __future__ import annotations

from flask import Blueprint

from runtime.console.approvals import ApprovalPages
from runtime.console.connections import ConnectionPages
from runtime.console.dead_letters import DeadLetterPages
from runtime.console.exceptions import ExceptionPages
from runtime.console.interchanges import InterchangePages
from runtime.console.many import ManyPages
from runtime.console.repairing import RepairPages
from runtime.console.runs import RunPages
from runtime.console.signin import SignInPages
from runtime.console.uncertain import UncertainPages
from runtime.services import Services


def blueprints(services: Services) -> list[Blueprint]:
    """One per subject."""
    return [
        SignInPages(services).blueprint(),
        RunPages(services).blueprint(),
        ApprovalPages(services).blueprint(),
        ExceptionPages(services).blueprint(),
        DeadLetterPages().blueprint(),
        UncertainPages(services).blueprint(),
        RepairPages(services).blueprint(),
        ManyPages(services).blueprint(),
        InterchangePages(services).blueprint(),
        ConnectionPages(services).blueprint(),
    ]
