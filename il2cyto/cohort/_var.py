"""What is known of each population: its place in the tree, phenotype, markers, denominators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from il2cyto._keys import Var

if TYPE_CHECKING:
    from il2cyto.template import GatingTemplate, Population


def population_columns(template: GatingTemplate, panel: str) -> pd.DataFrame:
    """Make `var`: a row for each population that the template reports, in its order."""
    reported = template.reported
    parents = {p.parent for p in template.populations}
    paths = [template.path(p.name) for p in reported]
    var = pd.DataFrame(index=pd.Index([p.name for p in reported], name=Var.POPULATION))
    var[Var.PARENT] = pd.Categorical([p.parent for p in reported])
    var[Var.PATH] = pd.Categorical(paths)
    var[Var.DEPTH] = np.array([path.count("/") for path in paths], dtype=np.int64)
    var[Var.LEAF] = [p.name not in parents for p in reported]
    var[Var.LABEL] = pd.Categorical([p.label or p.name for p in reported])
    var[Var.PHENOTYPE] = pd.Categorical([p.phenotype for p in reported])
    var[Var.MARKERS] = pd.Categorical([";".join(_markers(p, template)) for p in reported])
    var[Var.DENOMINATORS] = pd.Categorical(
        [";".join(p.endpoint.denominators if p.endpoint else (p.parent,)) for p in reported]
    )
    var[Var.GATE_TYPE] = pd.Categorical([p.gate.method if p.gate else "boolean" for p in reported])
    var[Var.ROLE] = pd.Categorical(["endpoint" if p.endpoint else "intermediate" for p in reported])
    var[Var.PANEL] = pd.Categorical([panel] * len(reported))
    var[Var.CELL_ONTOLOGY_ID] = pd.Categorical([p.cell_ontology_id for p in reported])
    var[Var.REPORT_ORDER] = np.arange(len(reported), dtype=np.int64)
    var[Var.FEATURE_TYPE] = pd.Categorical(["numeric"] * len(reported))
    return var


def _markers(population: Population, template: GatingTemplate) -> tuple[str, ...]:
    """Markers of the population's own gate, or of the gates that its combination names."""
    if population.gate is not None and population.gate.method != "ref":
        return population.gate.keys
    operands = (template.by_name[name] for name in population.referred)
    return tuple(dict.fromkeys(key for operand in operands for key in _markers(operand, template)))
