"""How the kernels are compiled."""

from __future__ import annotations

from il2cyto.gt._kernels import _decorator


def test_a_kernel_runs_where_no_folder_for_compiled_code_can_be_written(monkeypatch):
    asked = []

    def njit(*, nogil, cache=False):
        asked.append(cache)
        if cache:
            msg = "cannot cache function: no locator available"
            raise RuntimeError(msg)
        return lambda function: function

    monkeypatch.setattr(_decorator, "njit", njit)
    assert _decorator.kernel(abs)(-3) == 3
    assert asked == [True, False]
