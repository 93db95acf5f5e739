"""What endpoints are called on paper, and in which unit they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A smaller p is marked in figures that have no room for all of them.
ALPHA: Final = 0.05


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
