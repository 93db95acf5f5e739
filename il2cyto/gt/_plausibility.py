"""Do the markers of a file behave as their names say? Labels can be exchanged together with their detectors; cells cannot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._plan import Events
from il2cyto.gt._sample import draw_root, rescaled
from il2cyto.gt._sampled_tree import GLANCE, SampledTree, few_of
from il2cyto.template._expect import Correlation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from il2cyto.gt._sampled_tree import Fit
    from il2cyto.template import Expectation, GatingTemplate

    FloatArray = npt.NDArray[np.float64]

#: Fewer events of a population than this say nothing; more than the second number say no more.
FEWEST, MOST = 50, GLANCE
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


def panel_plausibility(events: Events, *, most: int = MOST) -> Plausibility:
    """Test what a template expects of a panel's markers on the events of a file.

    Parameters
    ----------
    events
        The file on the template's scales.
    most
        Look at about so many events, spread evenly over the file. The populations are those that these events' own cuts give.

    Returns
    -------
    One finding for each entry of the template's `expect`, and on failure the exchange of labels that would satisfy all.

    Examples
    --------
    >>> from il2cyto import datasets, gt, io
    >>> file = io.open_fcs(next((datasets.sample_data_path() / "fcs").glob("*.fcs")))
    >>> template = io.read_template(io.find_template("tnk"))
    >>> plan = gt.make_plan(template, file.panel(), file=file.name)
    >>> gt.panel_plausibility(gt.Events(file, plan)).plausible
    True
    """
    from il2cyto.gt._propose import own_cuts

    among = draw_root(events).thinned(most)
    return judge(SampledTree(events, own_cuts(), expected_of(events.plan.template), among=among), own_cuts)


def judge(tree: SampledTree, fit: Callable[[], Fit], *, left_out: str = "") -> Plausibility:
    """Test the expectations on a file whose populations are known; `fit` makes what gates it anew with other labels.

    Nothing is expected of the marker `left_out` of a control.
    """
    unlabelled = {m: "" for e in tree.template.expect for m in e.markers if m.casefold() == left_out.casefold()}
    findings = _findings(tree, unlabelled)
    if not any(finding.fails for finding in findings):
        return Plausibility(findings)
    glance = SampledTree(tree.events, fit(), expected_of(tree.template), among=tree.few)
    return Plausibility(findings, _mend(glance, fit, unlabelled))


def expected_of(template: GatingTemplate) -> set[str]:
    """The populations on which a template expects something."""
    return {name for expectation in template.expect for name in expectation.populations} - {ROOT}


def _mend(tree: SampledTree, fit: Callable[[], Fit], unlabelled: Mapping[str, str]) -> dict[str, str]:
    """Find the exchange of fewest labels with which all hold that could be tested; of several, that with the widest margins."""
    tested = [i for i, finding in enumerate(_findings(tree, unlabelled)) if not np.isnan(finding.margin)]
    best: dict[str, str] = {}
    widest = 0.0
    for exchanged in _exchanges(tree, unlabelled):
        if best and len(exchanged) > len(best):
            break
        findings = _with_exchange(tree, exchanged, fit, unlabelled)
        margins = float(np.nansum([finding.margin for finding in findings]))
        holds = all(findings[i].margin > 0 for i in tested) and not any(finding.fails for finding in findings)
        if holds and margins > widest:
            best, widest = exchanged, margins
    return best


def _exchanges(tree: SampledTree, unlabelled: Mapping[str, str]) -> list[dict[str, str]]:
    """Marker -> label for the labels that move, those that move the fewest first."""
    named = (marker for expectation in tree.template.expect for marker in expectation.markers)
    channels = tree.plan.channels
    markers = [
        marker
        for marker in dict.fromkeys(named)
        # Nobody labels scatter.
        if marker in channels and marker not in unlabelled and channels[marker].detector != "scatter"
    ]
    if len(markers) > MOST_MARKERS:
        return []
    pairs = (zip(markers, labels, strict=True) for labels in permutations(markers))
    return sorted(({marker: label for marker, label in pair if marker != label} for pair in pairs), key=len)[1:]


def _with_exchange(
    tree: SampledTree, labels: Mapping[str, str], fit: Callable[[], Fit], unlabelled: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Test the expectations with other labels; gate again only if a gate reads one of these."""
    gates = [tree.template.by_name[name].gate for name in tree.nodes if name != ROOT]
    if not any(labels.keys() & set(gate.keys) for gate in gates if gate is not None):
        return _findings(tree, {**labels, **unlabelled})
    channels = tree.plan.channels
    plan = replace(tree.plan, channels={**channels, **{marker: channels[label] for marker, label in labels.items()}})
    again = SampledTree(Events(tree.events.file, plan), fit(), expected_of(tree.template), among=tree.few)
    return _findings(again, unlabelled)


def _findings(tree: SampledTree, labels: Mapping[str, str]) -> tuple[Finding, ...]:
    return tuple(_finding(expectation, tree, labels) for expectation in tree.template.expect)


def _finding(expectation: Expectation, tree: SampledTree, labels: Mapping[str, str]) -> Finding:
    def values(marker: str, population: str) -> FloatArray:
        label = labels.get(marker, marker)
        if label not in tree.plan.channels or not tree.nodes[population].evaluable:
            return np.empty(0)
        if label == marker:
            return tree.glance(marker, population)
        spec = tree.template.transform.of(marker).at_range(tree.plan.channels[label].range)
        x = rescaled(tree.linear(label, population), spec)
        return few_of(x)

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
    ordered, high = np.sort(low), np.sort(high)  # one search near the last is fast
    below, to = (np.searchsorted(ordered, high, side) for side in ("left", "right"))
    return float((below + to).mean() / (2 * low.size))
