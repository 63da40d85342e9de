"""JSON over HTTP: call any REST API, follow its paging, tell a refusal from an unknown outcome."""
