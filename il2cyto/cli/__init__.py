"""The command line: thin, and light until a command runs."""

from __future__ import annotations

from il2cyto.cli._app import app as app, main as main
