"""What endpoints are called on paper, and in which unit they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What bars to either side of a mean show.
Interval = Literal["ci", "sem"]
#: The t interval of two subjects is 9 SEM to either side: drawn, it says nothing and flattens everything else.
FEWEST_FOR_INTERVAL: Final = 3
#: A smaller p is marked in figures that have no room for all of them.
ALPHA: Final = 0.05


#: What the tables abbreviate, in the words of a legend.
TESTS: Final = {
    "fisher": "Fisher's exact test",
    "boschloo": "Boschloo's exact test",
    "barnard": "Barnard's exact test",
    "pearson": "Pearson's chi-square test",
    "ancova_hc3": "ANCOVA with HC3 standard errors",
    "ancova": "ANCOVA",
    "ANCOVA": "ANCOVA at each visit",
    "hodges_lehmann": "Hodges-Lehmann shift",
    **{
        f"MMRM {short}, {ddf}": f"MMRM, {structure}, {ddf.title()}"
        for short, structure in (
            *(("us", "unstructured"), ("cs", "compound-symmetric"), ("ar1", "autoregressive")),
            *(("toep", "Toeplitz"), ("toeph", "heterogeneous Toeplitz")),
            *(("ad", "ante-dependent"), ("adh", "heterogeneous ante-dependent")),
        )
        for ddf in ("kenward-roger", "satterthwaite")
    },
}


class EndpointLabel(NamedTuple):
    """Title of a panel and what its y axis says."""

    title: str
    axis: str


LABELS: Final = {
    "sri4": EndpointLabel("SRI-4 response", "% of subjects"),
    "nephritis_remission": EndpointLabel("Nephritis: complete remission", "% of subjects with nephritis"),
    "steroid_reduction": EndpointLabel("Steroid reduction ≥\u00a050\u00a0%", "% of subjects on steroids"),
    "c3_normal": EndpointLabel("Normal C3", "% of subjects"),
    "c4_normal": EndpointLabel("Normal C4", "% of subjects"),
    "c3_normalised": EndpointLabel("C3 normalised", "% of subjects low at baseline"),
    "c4_normalised": EndpointLabel("C4 normalised", "% of subjects low at baseline"),
    "lldas": EndpointLabel("LLDAS", "% of subjects"),
    "doris": EndpointLabel("DORIS remission", "% of subjects"),
    "sledai": EndpointLabel("SLEDAI", "score"),
    "pga": EndpointLabel("Physician's global assessment", "score, 0-3"),
    "prednisone_mg": EndpointLabel("Prednisone", "mg/day"),
    "albumin_g_l": EndpointLabel("Albumin", "g/L"),
    "upe_g_24h": EndpointLabel("Proteinuria", "g/24 h"),
    "c3_g_l": EndpointLabel("C3", "g/L"),
    "c4_g_l": EndpointLabel("C4", "g/L"),
    "dsdna_iu_ml": EndpointLabel("Anti-dsDNA", "IU/mL"),
}


def label(endpoint: str) -> EndpointLabel:
    """Give the label of an endpoint; one that il2cyto does not know is called by its name.

    Examples
    --------
    >>> label("albumin_g_l").axis
    'g/L'
    >>> label("my_score").title
    'my score'
    """
    return LABELS.get(endpoint, EndpointLabel(endpoint.replace("_", " "), "value"))


def require_interval(interval: str, *, caller: str) -> None:
    """Raise a ValueError where `interval` is no :data:`Interval`."""
    if interval not in get_args(Interval):
        msg = f"{caller}: no interval {interval!r}; allowed are {', '.join(map(repr, get_args(Interval)))}."
        raise ValueError(msg)


def interval_text(interval: str, level: float = 0.95) -> str:
    """Say what bars show: a confidence interval with its level, or the standard error of the mean.

    Examples
    --------
    >>> interval_text("ci", 0.9), interval_text("sem")
    ('90 % confidence interval', 'standard error (SEM)')
    """
    return f"{100 * level:g} % confidence interval" if interval == "ci" else "standard error (SEM)"


def p_text(p: float | None) -> str:
    """Write a p value as journals do: three decimals, or the bound below them; nothing where there is none.

    Examples
    --------
    >>> p_text(0.0521), p_text(0.00004), p_text(float("nan"))
    ('p = 0.052', 'p < 0.001', '')
    """
    if p is None or p != p:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def p_column(table: pl.DataFrame) -> str:
    """Name the column of p that counts: the adjusted one where the table adjusts."""
    adjusted = "p_adjusted" in table.columns and table["p_adjusted"].cast(pl.Float64).fill_nan(None).count() > 0
    return "p_adjusted" if adjusted else "p"


def arms_of(frame: pl.DataFrame, arms: Sequence[str] | None) -> tuple[str, ...]:
    """Arms in the order given, control first, else in that of the frame."""
    return tuple(arms) if arms else tuple(frame["arm"].unique(maintain_order=True))


def tests_text(contrasts: pl.DataFrame | None, column: str, *, all_shown: bool) -> list[str]:
    """Say which tests p is from, and where it stands; nothing without tests."""
    if contrasts is None or not contrasts.height or column not in contrasts.columns:
        return []
    methods = contrasts[column].drop_nulls().unique(maintain_order=True).to_list()
    said = ", ".join(TESTS.get(str(method), str(method)) for method in methods)
    which = "" if all_shown else f" where below {ALPHA:g}"
    return [f"p between arms{which}, not adjusted: {said}"] if methods else []
