"""What a connector is: import everything a connector needs from here."""

from connectors.sdk.connector import Check, Connector, load, names
from connectors.sdk.context import (
    Accept,
    Arrival,
    Blobs,
    Connection,
    ConnectionContext,
    Context,
    Listening,
    Log,
    Receipt,
)
from connectors.sdk.errors import (
    BusinessError,
    ConnectorError,
    CredentialsRefused,
    Misconfigured,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from connectors.sdk.model import (
    BlobRef,
    Coerced,
    Content,
    Duration,
    Model,
    Output,
    Parameters,
    SecretStr,
    Settings,
    Strings,
    seconds,
)
from connectors.sdk.operation import (
    Call,
    Effect,
    Listen,
    Operation,
    Outcome,
    Poll,
    Read,
    Role,
    Step,
    Write,
)
from connectors.sdk.simulator import Journal, Simulator, load_simulator

__all__ = [
    "Accept", "Arrival", "BlobRef", "Blobs", "BusinessError", "Call", "Check", "Coerced", "Connection",
    "ConnectionContext", "Connector", "ConnectorError", "Content", "Context", "CredentialsRefused", "Duration",
    "Effect", "Journal", "Listen", "Listening", "Log", "Misconfigured", "Model", "NotSent", "Operation",
    "Outcome", "OutcomeUnknown", "Output", "Parameters", "Poll", "Read", "Receipt", "Rejected", "Role",
    "SecretStr", "Settings", "Simulator", "Step", "Strings", "Write", "load", "load_simulator", "names", "seconds",
]  # fmt: skip
