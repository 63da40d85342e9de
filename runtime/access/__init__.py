"""Who may: users with passwords, their sessions, and API keys; all of one client.

access = Access(store, "mercy")
user = access.users.verify("anna.berg", "…")      # None, or LockedOut is raised
token = access.sessions.open(user)                # goes into the cookie
access.sessions.find(token)                       # on every request
key, row = access.api_keys.create("portal", ["hooks:requisition_intake"])    # the key is shown this once
"""

from __future__ import annotations

from runtime.access.api_keys import ApiKey, ApiKeys, KeyRefused, allowed
from runtime.access.sessions import Session, Sessions, csrf_holds, csrf_token
from runtime.access.users import AccessError, LockedOut, User, Users
from runtime.store.statements import Backend

__all__ = [
    "Access", "AccessError", "ApiKey", "ApiKeys", "KeyRefused", "LockedOut", "Session", "Sessions", "User", "Users",
    "allowed", "csrf_holds", "csrf_token",
]  # fmt: skip


class Access:
    """Over the same store as everything else of the client."""

    def __init__(self, store: Backend, client: str) -> None:
        self.client = client
        self.users = Users(store, client)
        self.sessions = Sessions(store, client)
        self.api_keys = ApiKeys(store, client)
