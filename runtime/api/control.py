"""The functions behind the command line: JSON arguments, JSON results, over the same services as the console."""

from __future__ import annotations

from runtime.api.auditing import Auditing
from runtime.api.batches import Batches
from runtime.api.connections import Connections
from runtime.api.doctor import Doctor
from runtime.api.housekeeping import Housekeeping
from runtime.api.interchanges import Interchanges
from runtime.api.people import Approvals, Exceptions, Keys, People
from runtime.api.repair import Repairs
from runtime.api.runs import Runs
from runtime.api.trial import Trial


class Control(
    Doctor, Runs, Repairs, Batches, Interchanges, Exceptions, Approvals, People, Keys, Connections, Housekeeping,
    Trial, Auditing,
):  # fmt: skip
    """Called on the spot, or by ``rpc`` over the Unix socket of a server. ``client`` may be left out where one
    client is served; ``by`` is who did it, for the audit."""
