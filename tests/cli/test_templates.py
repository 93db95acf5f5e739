from __future__ import annotations

from tests._runs import run


def test_templates_are_listed_shown_and_checked(tmp_path):
    listed = run("templates", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == sorted(line.split()[0] for line in listed.splitlines())
    shown = run("templates", "show", "tnk").stdout
    assert "CD56bright: CD56high and not CD16pos" in shown
    (tmp_path / "t.yaml").write_text("schema: il2cyto/gating-template/1\nname: t\n")
    bad = run("templates", "check", tmp_path / "t.yaml")
    assert bad.returncode == 2
    assert "populations" in bad.stderr
