"""The papers of the methods that an analysis used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from il2cyto.analysis._inputs import Inputs
    from il2cyto.analysis._populations import Fits


def references(inputs: Inputs, fits: Fits, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    """Cite the papers of the methods that this analysis used, and no others."""
    has = {name for name, table in tables.items() if table.height}
    models = (
        [str(name) for name in tables["continuous_contrasts"]["model"].unique()]
        if "continuous_contrasts" in has
        else []
    )
    models += [f"MMRM {result.diagnostics.ddf}" for found in fits.full.values() for result in found.models.values()]
    if any("MMRM" in name for name in models):
        yield "Mallinckrodt et al., Drug Inf J 2008;42:303"
    if any("kenward-roger" in name for name in models):
        yield "Kenward and Roger, Biometrics 1997;53:983"
    if "binary_endpoints" in has:
        yield "Wilson, J Am Stat Assoc 1927;22:209"
    if "safety" in has or ("binary_contrasts" in has and inputs.settings.interval == "miettinen_nurminen"):
        yield "Miettinen and Nurminen, Stat Med 1985;4:213"
    if "binary_contrasts" in has:
        yield "Newcombe, Stat Med 1998;17:873"
    if "population_delta" in has:
        yield "Barnard and Rubin, Biometrika 1999;86:948"
        yield "Cro et al., Stat Med 2020;39:2815"
    if "binary_tipping" in has:
        yield "Yan, Lee and Li, J Biopharm Stat 2009;19:1085"
    if "response" in has:
        yield "DeLong et al., Biometrics 1988;44:837"
    if "population_contrasts" in has:
        if tables["population_contrasts"].filter(role="primary").height:
            yield "Holm, Scand J Stat 1979;6:65"
        yield "Benjamini and Hochberg, J R Stat Soc B 1995;57:289"
