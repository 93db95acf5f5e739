"""Do the markers of a file behave as their names say? Labels can be exchanged together with their detectors; cells cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._plan import Events
from il2cyto.gt._tree import Tree
from il2cyto.template._expect import Correlation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.template import Expectation, GatingTemplate

    FloatArray = npt.NDArray[np.float64]

#: Fewer events of a population than this say nothing; more than the second number say no more.
FEWEST, MOST = 50, 20_000
#: With more markers than this there are too many ways to exchange them.
MOST_MARKERS = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation of a template, and what a file's events say of it.

    Attributes
    ----------
    expected
        In words.
    value
        The correlation, or the probability that an event of the first population lies above one of the second (AUC); NaN where
        a marker is absent, or a population is not evaluable or has fewer than 50 events.
    margin
        How far the value lies on the right side of its limit; negative where it fails, NaN with the value.
    """

    expected: str
    value: float
    margin: float

    @property
    def fails(self) -> bool:
        """Whether the expectation is broken; one that could not be tested is not."""
        return self.margin < 0


@dataclass(frozen=True, slots=True)
class Plausibility:
    """What a file's events say of its panel.

    Attributes
    ----------
    findings
        One for each expectation of the template, in its order.
    exchanged
        Marker -> the label under which it stands, for the exchange of labels with which all expectations hold; empty where
        the panel is plausible or no exchange helps. If several do, one that moves the fewest labels, with the widest margins.
    """

    findings: tuple[Finding, ...]
    exchanged: Mapping[str, str] = field(default_factory=dict)

    @property
    def plausible(self) -> bool:
        """Whether no expectation is broken."""
        return not any(finding.fails for finding in self.findings)

    @property
    def reason(self) -> str:
        """What is broken and which exchange of labels would mend it; "" for a plausible panel."""
        broken = "; ".join(f"{f.expected}, found {f.value:.2f}" for f in self.findings if f.fails)
        if not broken:
            return ""
        if not self.exchanged:
            return f"{broken}; no exchange of these markers mends it"
        places = ", ".join(f"{marker} is labelled {label}" for marker, label in self.exchanged.items())
        return f"{broken}; all expectations hold if {places}"


def panel_plausibility(events: Events) -> Plausibility:
    """Test what a template expects of a panel's markers on the events of a file.

    Parameters
    ----------
    events
        The file on the template's scales; some thousand events are enough (``Events(file, plan, most=20_000)``). The
        populations are those that the file's own cuts give.

    Returns
    -------
    One finding for each entry of the template's `expect`, and on failure the exchange of labels that would satisfy all.

    Examples
    --------
    >>> from il2cyto import datasets, gt, io
    >>> file = io.open_fcs(next((datasets.sample_data_path() / "fcs").glob("*.fcs")))
    >>> template = io.read_template(io.find_template("tnk"))
    >>> plan = gt.make_plan(template, file.panel(), file=file.name)
    >>> gt.panel_plausibility(gt.Events(file, plan, most=20_000)).plausible
    True
    """
    return judge(_glance(events))


def judge(tree: Tree) -> Plausibility:
    """Test the expectations on a file whose populations are known."""
    findings = _findings(tree, tree.events)
    if not any(finding.fails for finding in findings):
        return Plausibility(findings)
    return Plausibility(findings, _mend(_glance(Events(tree.events.file, tree.plan, most=MOST))))


def _glance(events: Events) -> Tree:
    """The populations that the expectations need, by the file's own cuts."""
    from il2cyto.gt._propose import own_cuts

    return Tree(events, own_cuts(), only=_needed(events.plan.template))


def _mend(tree: Tree) -> dict[str, str]:
    """Find the exchange of fewest labels with which all hold that could be tested; of several, that with the widest margins."""
    tested = [i for i, finding in enumerate(_findings(tree, tree.events)) if not np.isnan(finding.margin)]
    best: dict[str, str] = {}
    widest = 0.0
    for exchanged in _exchanges(tree):
        if best and len(exchanged) > len(best):
            break
        findings = _with_exchange(tree, exchanged)
        margins = float(np.nansum([finding.margin for finding in findings]))
        holds = all(findings[i].margin > 0 for i in tested) and not any(finding.fails for finding in findings)
        if holds and margins > widest:
            best, widest = exchanged, margins
    return best


def _exchanges(tree: Tree) -> list[dict[str, str]]:
    """Marker -> label for the labels that move, those that move the fewest first."""
    named = (marker for expectation in tree.template.expect for marker in expectation.markers)
    markers = [marker for marker in dict.fromkeys(named) if marker in tree.plan.channels]
    if len(markers) > MOST_MARKERS:
        return []
    pairs = (zip(markers, labels, strict=True) for labels in permutations(markers))
    return sorted(({marker: label for marker, label in pair if marker != label} for pair in pairs), key=len)[1:]


def _with_exchange(tree: Tree, exchanged: Mapping[str, str]) -> tuple[Finding, ...]:
    """Test the expectations with other labels; gate again only if a gate reads one of these."""
    events = tree.events.exchanged(exchanged)
    gates = [tree.template.by_name[name].gate for name in _needed(tree.template)]
    again = any(exchanged.keys() & set(gate.keys) for gate in gates if gate is not None)
    return _findings(_glance(events) if again else tree, events)


def _needed(template: GatingTemplate) -> set[str]:
    """The populations of the expectations and all that they stand on."""
    needed: set[str] = set()
    todo = [name for expectation in template.expect for name in expectation.populations]
    while todo:
        name = todo.pop()
        if name in template.by_name and name not in needed:
            needed.add(name)
            population = template.by_name[name]
            todo.extend((population.parent, *population.referred))
    return needed


def _findings(tree: Tree, events: Events) -> tuple[Finding, ...]:
    return tuple(_finding(expectation, tree, events) for expectation in tree.template.expect)


def _finding(expectation: Expectation, tree: Tree, events: Events) -> Finding:
    def values(marker: str, population: str) -> FloatArray:
        node = tree.nodes[population]
        if marker not in events.plan.channels or not node.evaluable:
            return np.empty(0)
        x = events.scaled(marker)[node.mask]
        return x[:: -(-x.size // MOST) or 1]

    if isinstance(expectation, Correlation):
        x, y = (values(marker, expectation.within) for marker in expectation.markers)
        limit = expectation.correlation_below
        expected = (
            f"{expectation.marker} against {expectation.against} in {expectation.within}: correlation below {limit:g}"
        )
        value = _correlation(x, y)
        return Finding(expected, value, limit - value)
    high, low = (values(expectation.marker, name) for name in expectation.populations)
    limit = expectation.auc_above
    expected = f"{expectation.marker} higher in {expectation.higher_in} than in {expectation.than}: AUC above {limit:g}"
    value = _auc(high, low)
    return Finding(expected, value, value - limit)


def _correlation(x: FloatArray, y: FloatArray) -> float:
    if min(x.size, y.size) < FEWEST or not x.std() > 0 or not y.std() > 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _auc(high: FloatArray, low: FloatArray) -> float:
    """Compute P(high > low) + P(high = low) / 2 for events drawn at random (Mann-Whitney's U over both sizes)."""
    if min(high.size, low.size) < FEWEST:
        return float("nan")
    ordered = np.sort(low)
    below, to = (np.searchsorted(ordered, high, side) for side in ("left", "right"))
    return float((below + to).mean() / (2 * low.size))
