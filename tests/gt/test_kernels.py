"""How the kernels are compiled, where the compiled code is kept, and the small ones among them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from il2cyto.gt._kernels import _decorator
from il2cyto.gt._kernels._order import median, median_distance, quantiles
from il2cyto.gt._kernels._random import draw_poisson, poisson_constants, seeded, uniform
from il2cyto.gt._sample import rescaled
from il2cyto.pp import transform
from il2cyto.template import Logicle

KERNELS = "from il2cyto.gt._kernels._decorator import kernel\n\n@kernel\ndef twice(x):\n    return 2 * x\n"
CALL = "import some_kernels as k; assert k.twice(2) == 4; s = k.twice.stats; print(sum(s.cache_hits.values()), sum(s.cache_misses.values()))"


def test_a_kernel_runs_where_no_folder_for_compiled_code_can_be_written(monkeypatch):
    asked = []

    def njit(*, nogil, error_model, cache=False):
        assert (nogil, error_model) == (True, "numpy")
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


def test_the_generator_is_xoshiro_seeded_by_splitmix():
    state = seeded(np.uint64(0))
    assert state[0] == 0xE220A8397B1DCDAF  # the first number of splitmix64 after 0
    word = (1 << 64) - 1
    rotate = lambda x, k: ((x << k) | (x >> (64 - k))) & word
    a, b, c, d = (int(x) for x in state)
    for _ in range(100):
        expected = ((rotate((a + d) & word, 23) + a) & word) >> 11
        t = (b << 17) & word
        c, d = c ^ a, d ^ b
        b, a = b ^ c, a ^ d
        c, d = c ^ t, rotate(d, 45)
        assert uniform(state) == expected / 2**53


@pytest.mark.parametrize("mean", [0.02, 0.7, 9.9, 10.1, 35.0, 4321.5])
def test_counts_have_the_distribution_of_poisson(mean):
    means = np.full(200_000, mean)
    drawn = np.empty(means.size)
    draw_poisson(means, poisson_constants(means), seeded(np.uint64(7)), drawn)
    edges = np.unique(stats.poisson.ppf(np.linspace(0.02, 0.98, 30), mean))
    expected = np.diff(stats.poisson.cdf(edges, mean), prepend=0, append=1) * drawn.size
    found = np.histogram(drawn, [-1, *(edges + 0.5), np.inf])[0]
    assert stats.chisquare(found, expected).pvalue > 1e-3
    assert np.corrcoef(drawn[1:], drawn[:-1])[0, 1] == pytest.approx(0, abs=0.01)


def test_nothing_is_drawn_from_an_empty_bin():
    drawn = np.ones(3)
    means = np.array([0.0, 1e-300, 0.0])
    draw_poisson(means, poisson_constants(means), seeded(np.uint64(1)), drawn)
    assert drawn.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=1000),
        np.random.default_rng(2).normal(size=12_345).round(1),
        np.append(np.random.default_rng(3).normal(size=500), [1e12, -1e9]),
        np.array([3.0]),
        np.full(7, 0.1),
        np.array([0.1, np.nextafter(0.1, 1)] * 5),
    ],
)
def test_quantiles_are_those_of_numpy(values):
    levels = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.999, 1.0])
    np.testing.assert_array_equal(quantiles(values, levels), np.quantile(values, levels))
    assert median(values) == np.median(values)
    assert median_distance(values, 0.3) == np.median(np.abs(values - 0.3))


@pytest.mark.parametrize("spec", [Logicle(t=262144.0), Logicle(t=1000.0, w=1.3, a=0.5), Logicle(t=1e6, w=0.0, m=5.5)])
def test_the_fast_logicle_is_the_exact_one(spec):
    x = np.concatenate(
        [np.linspace(-3e5, 3e5, 100_001), [0.0, -0.0, 1e-300, 1e30, -1e30, 1e300], np.geomspace(1e-12, 1e9, 10_001)]
    )
    np.testing.assert_allclose(rescaled(x.copy(), spec), transform(x, spec), rtol=2e-15, atol=2e-15)
    within = x[np.abs(x) < 3e5]
    np.testing.assert_allclose(rescaled(within.copy(), spec), transform(within, spec), rtol=0, atol=1e-15)
