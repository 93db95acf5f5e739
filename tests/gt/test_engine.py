"""The compiled engine against the tree in numpy, event by event, on every template and on random ones."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from il2cyto.errors import FcsWarning
from il2cyto.gt import Events, Flag, apply, make_plan, propose, reconcile
from il2cyto.gt._apply import FinalCuts
from il2cyto.gt._linear import last_below, linear_cuts
from il2cyto.gt._sampled_tree import SampledTree
from il2cyto.gt._scale import Scale
from il2cyto.gt._tree import Tree
from il2cyto.io import Spillover, open_fcs, read_template, write_fcs
from il2cyto.pp import transform
from il2cyto.pp._flow import flow_of
from il2cyto.template import Asinh, FlowJoBiex, FlowJoLog, GatingTemplate, Linear, Log, Logicle, NoTransform

PROJECT = Path(__file__).parents[2]


def in_numpy(events, cuts, sample, polygons=None):
    """What `apply` must give, from whole columns."""
    final = FinalCuts(cuts, sample)
    tree = Tree(events, lambda population, gate, tree: final.decide(population), polygons=polygons)
    nodes, populations = tree.nodes, tree.template.populations
    result = {"n_usable": nodes["root"].count, "compensation": events.compensation, "n_events": events.n}
    of = {p.name: nodes[p.name] for p in populations}
    result["counts"] = {name: float(n.count) if n.evaluable else np.nan for name, n in of.items()}
    result["parent_counts"] = {name: float(n.parent_count) for name, n in of.items()}
    flow = flow_of(events.file)
    of_file = Flag.FLOW_INTERRUPTED if flow is not None and flow.interrupted else Flag.NONE
    result["flags"] = {name: int(n.flags | of_file) for name, n in of.items()}
    for side, version in (("low", "strict"), ("high", "loose")):
        result[side] = {
            name: np.count_nonzero(getattr(n.band, version)) / n.parent_count
            if n.band is not None and n.evaluable and n.band.strict is not n.band.mask
            else np.nan
            for name, n in of.items()
        }
    nobody = np.zeros(events.n, dtype=bool)
    result["masks"] = {p.name: of[p.name].mask if of[p.name].evaluable else nobody for p in populations if p.report}
    markers = [key for key, c in events.plan.channels.items() if c.detector in ("fluor", "element")]
    result["medians"] = {
        (name, key): np.median(events.linear(key)[mask]) if mask.any() else np.nan
        for name, mask in result["masks"].items()
        for key in markers
    }
    return result


def assert_same(path, template, *, cuts=None, polygons=None, on_logicle_edges=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        file = open_fcs(path)
    events = Events(file, make_plan(template, file.panel(), file=file.name))
    if cuts is None:
        groups = pl.DataFrame(
            {"sample": ["s"], "batch": [None], "subject": [None]},
            schema_overrides={"batch": pl.String, "subject": pl.String},
        )
        cuts = reconcile(propose(events, sample="s", content="simulated"), groups, template)
    expected = in_numpy(events, cuts, "s", polygons)
    fresh = Events(file, events.plan)
    found = apply(fresh, cuts, sample="s", polygons=polygons, keep_masks=True)
    assert not {"_linear", "_dimensions"} & vars(fresh).keys(), "applying made whole columns of events"
    for name, value in expected.items():
        np.testing.assert_equal(getattr(found, name), value, err_msg=f"{path.name}: {name}")
    if not polygons and not on_logicle_edges:
        assert_same_in_samples(file, events.plan, cuts)
    return found


def assert_same_in_samples(file, plan, cuts):
    """Samples, by which cuts are proposed, hold the events that whole columns give: all of a small file."""
    source, template = FinalCuts(cuts, "s"), plan.template
    fresh = Events(file, plan)
    samples = SampledTree(fresh, lambda population, gate, tree: source.decide(population), template.order)
    assert not {"_linear", "_dimensions"} & vars(fresh).keys(), "drawing samples made whole columns"
    tree = Tree(Events(file, plan), lambda population, gate, tree: source.decide(population))
    usable = np.flatnonzero(tree.nodes["root"].mask)
    whole = samples._samples.get("root")
    for name, node in tree.nodes.items():
        assert samples.nodes[name].evaluable == node.evaluable, name
        if node.evaluable:
            assert samples.nodes[name].count == node.count, name
        if node.evaluable and whole is not None and whole.whole:
            np.testing.assert_array_equal(
                usable[samples._membership.mask(name, whole)], np.flatnonzero(node.mask), err_msg=name
            )


@pytest.mark.parametrize("name", ["tnk", "tbnk"])
def test_simulated_files_are_gated_as_in_numpy(name):
    template = read_template(PROJECT / "gating" / name / "template.yaml")
    for path in sorted((PROJECT / "sample_data" / "fcs").glob("*.fcs"))[:4]:
        result = assert_same(path, template)
        assert result.counts["CD4"] > 100
        assert np.isfinite(result.low["T"])


@pytest.mark.parametrize(
    ("name", "folder", "population"), [("euroflow-lst", "euroflow_lst", "NK"), ("tbnk", "visits", "CD4"), ("tnk", "raw_panels/aurora_30c", "T")]
)  # fmt: skip
def test_real_files_are_gated_as_in_numpy(shared, name, folder, population):
    template = read_template(PROJECT / "gating" / name / "template.yaml")
    files = [p for p in sorted((shared / "data" / folder).glob("*.fcs")) if "Unstained" not in p.name]
    for path in files[:3]:
        assert assert_same(path, template).counts[population] > 0


def test_slanted_cuts_are_applied_as_in_numpy():
    """Lines, the other side of them, and the cut interval, on compensated logicle scales."""
    line = {"channels": ["CD8", "CD56"], "reference": "T", "shift": 0.1, "pivot": 0.4, "bounds": [0, 1]}
    gates = {
        "T": {"method": "fixed", "channel": "CD3", "at": 0.5, "keep": "above"},
        "above": {"method": "reference_line", **line},
        "under": {"method": "reference_line", **line, "k": 1, "keep": "below"},
        "other": {"method": "ref", "of": "under", "keep": "above"},
    }
    head = {"schema": "il2cyto/gating-template/1", "name": "slanted", "version": "1"}
    populations = [{"name": name, "parent": "root", "gate": gate} for name, gate in gates.items()]
    template = GatingTemplate.model_validate(
        {**head, "requires": ["CD3", "CD8", "CD56"], "populations": populations, "min_parent": {"nan": 1, "warn": 1}}
    )
    for path in sorted((PROJECT / "sample_data" / "fcs").glob("*.fcs"))[:3]:
        result = assert_same(path, template)
        assert 100 < result.counts["above"] < result.n_usable
        assert result.counts["under"] + result.counts["other"] == result.n_usable
        assert result.low["above"] < result.counts["above"] / result.n_usable < result.high["above"]
        assert not (result.masks["under"] & result.masks["other"]).any()


KEYS = ("CD3", "CD4", "CD8")
SCALES = {
    "logicle": {"method": "logicle", "t": "range", "w": 0.5, "m": 4.5, "a": 0},
    "linear": {"method": "linear", "t": 1000, "a": 100},
    "asinh": {"method": "asinh", "cofactor": 150},
    "log": {"method": "log", "t": 1000, "m": 4},
    "none": {"method": "none"},
}


METHODS = ("interval", "fixed", "rectangle", "quadrant", "polygon", "polygon", "ellipse", "ref", "where")


def random_gate(rng, points, known, keys=KEYS, methods=(*METHODS, "boundary")):
    """A fixed gate with its edges at events, so that every event on an edge counts."""
    x, y = rng.choice(3, 2, replace=False)
    finite = points[np.isfinite(points).all(axis=1)]
    at = finite[rng.integers(0, len(finite), 12)]
    two = {"channels": [keys[x], keys[y]]}
    low, high = np.sort(at[:2, [x, y]], axis=0)
    method = rng.choice(methods)
    gated = [population["name"] for population in known if "gate" in population]
    if method == "ref" and gated:
        return {"gate": {"method": "ref", "of": str(rng.choice(gated)), "keep": str(rng.choice(["above", "below"]))}}
    if method == "where" and len(known) > 1:
        a, b = rng.choice([population["name"] for population in known], 2, replace=False)
        return {"where": str(rng.choice([f"{a} and not {b}", f"not ({a} or not {b})", f"{a} or {b} and not {a}"]))}
    gate = {
        "fixed": {"channel": keys[x], "at": at[0, x], "keep": "below"},
        "rectangle": {**two, "min": [low[0], None], "max": [None, high[1] + 1]},
        "quadrant": {**two, "x": at[0, x], "y": at[1, y], "keep": ["above", "below"]},
        "polygon": {**two, "vertices": at[: rng.integers(3, 12)][:, [x, y]].tolist()},
        "ellipse": {**two, "mean": at[0, [x, y]].tolist(), **spread(rng, at[:, [x, y]])},
        "boundary": {**two, "max": at[0, x]},
        "box": {"channels": keys, "min": [at[0, 0], None, at[1, 2]], "max": [None, at[2, 1], at[1, 2] + 1]},
        "ball": {"channels": keys, "mean": at[0].tolist(), **ball(rng, at)},
    }.get(method)
    if gate is None:
        method, gate = "interval", {"channel": keys[x], "min": low[0], "max": high[0] + 1e-9 + abs(high[0])}
    return {"gate": {"method": {"box": "rectangle", "ball": "ellipse"}.get(method, str(method)), **gate}}


def spread(rng, points):
    a, d = points.std(axis=0) ** 2 * rng.uniform(0.2, 2, 2) + 1e-6
    b = rng.uniform(-0.9, 0.9) * np.sqrt(a * d)
    return {"covariance": [[a, b], [b, d]], "distance_square": float(rng.uniform(0.3, 2))}


def ball(rng, points):
    half = rng.normal(size=(3, 3)) * (points.std(axis=0) + 1e-3)
    return {"covariance": (half.T @ half).tolist(), "distance_square": float(rng.uniform(0.3, 2))}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from(sorted(SCALES)), compensated=st.booleans())
def test_random_trees_with_edges_on_events_are_gated_as_in_numpy(seed, scale, compensated, tmp_path_factory):
    rng = np.random.default_rng(seed)
    n = int(rng.choice([60, 900, 20_000]))
    values = rng.normal(200, 300, (n, 5)) * rng.choice([0.2, 1, 3], (n, 1))
    if scale == "none":
        values = values.round()
    values[rng.integers(0, n, 3), rng.integers(0, 5, 3)] = rng.choice([np.nan, np.inf, -np.inf], 3)
    matrix = np.eye(3) + rng.uniform(0, 0.3, (3, 3)) * (1 - np.eye(3))
    path = tmp_path_factory.mktemp("random") / "random.fcs"
    write_fcs(
        path, values.astype(np.float32), names=["FSC-A", "A", "B", "C", "D"], labels=["", *KEYS, ""],
        ranges=[1000] * 5, spillover=Spillover(("A", "B", "C"), matrix) if compensated else None,
    )  # fmt: skip
    head = {
        "schema": "il2cyto/gating-template/1", "name": "random", "version": "1", "requires": list(KEYS),
        "transform": {"default": SCALES[scale]}, "min_parent": {"nan": 1, "warn": 1},
    }  # fmt: skip
    one = {"name": "one", "parent": "root", "gate": {"method": "fixed", "channel": "CD3", "at": 0, "keep": "above"}}
    file = open_fcs(path)
    events = Events(
        file, make_plan(GatingTemplate.model_validate({**head, "populations": [one]}), file.panel(), file="f")
    )
    points = np.column_stack([events.scaled(key) for key in KEYS])
    populations: list[dict] = []
    for i in range(12):
        parent = str(rng.choice(["root", "root", *(population["name"] for population in populations)]))
        populations.append({"name": f"p{i}", "parent": parent, **random_gate(rng, points, populations)})
    template = GatingTemplate.model_validate({**head, "populations": populations})
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    drawn = {p["name"]: square for p in populations[:3] if len(p.get("gate", {}).get("channels", ())) == 2}
    # Lists of events take a logicle that may differ in its last bit, which decides about an event on an edge.
    assert_same(path, template, on_logicle_edges=scale == "logicle")
    assert_same(path, template, polygons=drawn)


@pytest.mark.parametrize(
    "spec", [Logicle(t=1000.0), Logicle(w=1.3, a=0.5), Linear(t=1000.0, a=3.0), Asinh(), Log(t=1000.0), NoTransform()]
)
def test_a_linear_cut_is_the_smallest_value_that_reaches_the_cut(spec):
    cuts = np.concatenate([np.linspace(-0.5, 1.5, 41), transform(np.array([0.0, 1.0, -3.0, 1e-300, 500.0]), spec)])
    cuts = cuts[np.isfinite(cuts)]
    x = linear_cuts(cuts, Scale(spec))
    assert np.isfinite(x).all()
    assert (transform(x, spec) >= cuts).all()
    assert (transform(np.nextafter(x, -np.inf), spec) < cuts).all()


DIMENSION_SCALES = (
    {"method": "hyperlog", "t": 1000, "w": 0.5, "m": 4, "a": 0.5},
    {"method": "scaled_asinh", "t": 1000, "m": 4, "a": 1},
    {"method": "flowjo_log", "offset": 1, "decades": 3},
    {"method": "flowjo_biex", "negative": 0.5, "width": -30, "positive": 3, "max": 1000},
    {"method": "log", "t": 1000, "m": 4},
    {"method": "logicle", "t": "range"},
    {"method": "linear", "t": 1000, "a": 100},
    {"method": "none"},
)


def random_dimension(rng, zero):
    """A channel or a ratio, `zero` being where its denominator is 0, on any scale, with bounds or without."""
    low, high = np.sort(rng.uniform(0, 1, 2)).tolist()
    sides = ({}, {"low": low}, {"high": high}, {"low": low, "high": high})[rng.integers(4)]
    channel = str(rng.choice(["A", "B", "C", "dye"]))
    ratio = {"numerator": "A", "denominator": "B", "a": 0.5, "b": 10, "c": zero}
    return {
        **({"ratio": ratio} if rng.uniform() < 0.4 else {"channel": channel}),
        "compensation": "own" if channel == "dye" else str(rng.choice(["acquisition", "none", "own"])),
        "transform": dict(rng.choice(DIMENSION_SCALES)), **sides,
    }  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_trees_on_dimensions_of_any_kind_are_gated_as_in_numpy(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    n = int(rng.choice([900, 9_000]))
    values = rng.normal(200, 300, (n, 4)).astype(np.float32) * rng.choice([0.2, 1, 3], (n, 1)).astype(np.float32)
    values[rng.integers(0, n, 3), rng.integers(0, 4, 3)] = rng.choice([np.nan, np.inf, -np.inf], 3)
    path = tmp_path_factory.mktemp("dimensions") / "random.fcs"
    names, matrix = ["A", "B", "C", "D"], np.eye(3) + rng.uniform(0, 0.3, (3, 3)) * (1 - np.eye(3))
    write_fcs(path, values, names=names, ranges=[1000] * 4, spillover=Spillover(("A", "B", "C"), matrix))
    zero = float(values[np.isfinite(values[:, 1])][0, 1])
    keys = ("d1", "d2", "d3")
    own = {"fluorochromes": ["dye", "other"], "detectors": ["A", "B", "C"], "spillover": matrix[:2].tolist()}
    head = {
        "schema": "il2cyto/gating-template/1", "name": "random", "version": "1", "min_parent": {"nan": 1, "warn": 1},
        "dimensions": {key: random_dimension(rng, zero) for key in keys}, "matrices": {"own": own},
    }  # fmt: skip
    one = {"name": "p", "parent": "root", "gate": {"method": "fixed", "channel": "d1", "at": 0, "keep": "above"}}
    file = open_fcs(path)
    probe = GatingTemplate.model_validate({**head, "populations": [one]})
    events = Events(file, make_plan(probe, file.panel(), file="f"))
    points = np.column_stack([events.scaled(key) for key in keys])
    populations: list[dict] = []
    for i in range(12):
        parent = str(rng.choice(["root", "root", *(population["name"] for population in populations)]))
        gate = random_gate(rng, points, populations, keys, (*METHODS, "box", "ball"))
        populations.append({"name": f"p{i}", "parent": parent, **gate})
    assert_same(path, GatingTemplate.model_validate({**head, "populations": populations}))


@pytest.mark.parametrize(
    "scale", [Scale(FlowJoBiex()), Scale(FlowJoLog()), Scale(Logicle(), 0.2, 0.8), Scale(Log(), 0.5)]
)
def test_what_no_value_reaches_or_every_value_reaches_is_said_of_plateaus_too(scale):
    x = np.array([-np.inf, -1e300, -5.0, 0.0, 5.0, 1e300, np.inf])
    for cut in (-1.0, 0.2, 0.5, 0.8, 0.9, 5000.0, np.inf):
        first, last = linear_cuts([cut], scale), last_below([cut], scale)
        assert ((x >= first) == (scale(x) >= cut)).all()
        assert ((x <= last) == (scale(x) < cut)).all()


def median_template():
    populations = [
        {"name": "all", "parent": "root", "gate": {"method": "interval", "channel": "CD3", "min": -1e9}},
        {"name": "late", "parent": "all", "gate": {"method": "interval", "channel": "CD4", "min": 1}},
    ]
    return GatingTemplate.model_validate(
        {
            "schema": "il2cyto/gating-template/1", "name": "m", "version": "1", "requires": ["CD3", "CD4"],
            "transform": {"default": {"method": "linear", "t": 1, "a": 0}}, "populations": populations,
            "min_parent": {"nan": 1, "warn": 1},
        }
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["even", "tied", "sorted", "far off"])
def test_medians_are_exact_where_a_glance_misleads(kind, tmp_path):
    n, rng = 400_000, np.random.default_rng(3)
    values = {
        "even": lambda: rng.normal(0, 300, n),
        "tied": lambda: rng.integers(0, 4, n) * 256.0,
        "sorted": lambda: np.sort(rng.lognormal(5, 1, n)),
        # All but the beginning of each block, at which the glance is.
        "far off": lambda: np.where(np.arange(n) % (1 << 15) < 1 << 13, 1.0, rng.normal(5000, 900, n)),
    }[kind]()
    late = np.arange(n) % (1 << 16) >= (1 << 16) - 20_000  # far from the beginning of a block
    events = np.column_stack([values, late * rng.normal(500, 50, n), rng.random(n), rng.random(n)])
    write_fcs(
        tmp_path / "simulated.fcs", events.astype(np.float32), names=["A", "B", "C", "D"], labels=["CD3", "CD4", "", ""]
    )
    assert_same(tmp_path / "simulated.fcs", median_template())
