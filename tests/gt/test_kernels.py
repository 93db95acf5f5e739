"""How the kernels are compiled, and where the compiled code is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from il2cyto.gt._kernels import _decorator

KERNELS = "from il2cyto.gt._kernels._decorator import kernel\n\n@kernel\ndef twice(x):\n    return 2 * x\n"
CALL = "import some_kernels as k; assert k.twice(2) == 4; s = k.twice.stats; print(sum(s.cache_hits.values()), sum(s.cache_misses.values()))"


def test_a_kernel_runs_where_no_folder_for_compiled_code_can_be_written(monkeypatch):
    asked = []

    def njit(*, nogil, cache=False):
        asked.append(cache)
        if cache:
            msg = "cannot cache function: no locator available"
            raise RuntimeError(msg)
        return lambda function: function

    monkeypatch.setattr(_decorator, "njit", njit)
    assert _decorator.kernel(lambda x: x + 1)(3) == 4
    assert asked == [True, False]


def call(folder: Path, **environment: str) -> str:
    """Hits and misses of the compiled code on disk, in a new process that calls a kernel of a package in `folder`."""
    clean = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    run = subprocess.run(
        [sys.executable, "-c", CALL], env={**clean, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return run.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="the user's cache folder has another name elsewhere")
def test_a_read_only_installation_keeps_compiled_code_in_the_users_folder_or_where_numba_is_told(tmp_path):
    package, user, told = (tmp_path / name for name in ("package", "user", "told"))
    package.mkdir()
    (package / "some_kernels.py").write_text(KERNELS)
    (package / "__pycache__").write_text("no folder can be made here, even by root")

    assert call(package, XDG_CACHE_HOME=str(user)) == "0 1"
    assert list(user.rglob("*.nbi"))
    assert call(package, XDG_CACHE_HOME=str(user)) == "1 0"
    assert call(package, XDG_CACHE_HOME=str(user), NUMBA_CACHE_DIR=str(told)) == "0 1"
    assert list(told.rglob("*.nbi"))


def test_compiled_code_does_not_outlive_a_change_in_another_kernels_file(tmp_path, monkeypatch):
    def compiled_anew(digest: str) -> bool:
        monkeypatch.setattr(_decorator, "_digest", lambda: digest)
        namespace: dict[str, Any] = {"__name__": "some_kernels"}
        exec(compile(KERNELS, str(tmp_path / "some_kernels.py"), "exec"), namespace)
        assert namespace["twice"](2) == 4
        return bool(namespace["twice"].stats.cache_misses)

    (tmp_path / "some_kernels.py").write_text(KERNELS)

    assert [compiled_anew(digest) for digest in ("one", "one", "two", "two")] == [True, False, True, False]
