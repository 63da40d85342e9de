"""A signed-in program that speaks JSON, and the same session seen by a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.runtime.console.house import PASSWORD

JSON = {"Accept": "application/json"}


@dataclass
class Program:
    http: FlaskClient
    csrf: str

    @classmethod
    def signed_in(cls, app: Flask, login: str, **more: str) -> Program:
        http = app.test_client()
        answer = http.post("/login", json={"login": login, "password": PASSWORD, **more})
        assert answer.status_code == 200, answer.text
        return cls(http, answer.get_json()["csrf"])

    def get(self, path: str) -> TestResponse:
        return self.http.get(path, headers=JSON)

    def page(self, path: str) -> str:
        """The HTML, whatever the status."""
        return self.http.get(path, headers={"Accept": "text/html"}).text

    def post(self, path: str, body: dict[str, Any] | None = None) -> TestResponse:
        return self.http.post(path, json=body or {}, headers={"X-CSRF-Token": self.csrf})

    def form(self, path: str, **fields: str) -> TestResponse:
        return self.http.post(path, data={"csrf": self.csrf, **fields})

    def approval_of(self, run: str) -> dict[str, Any]:
        rows = self.get("/approvals").get_json()["approvals"]
        return next(row for row in rows if row["run"] == run)
