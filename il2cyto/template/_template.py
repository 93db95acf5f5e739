"""GatingTemplate: the populations of a panel, in the order of a tree."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from il2cyto._keys import ROOT
from il2cyto._strict import Strict
from il2cyto.errors import TemplateError
from il2cyto.template._any_gate import GateField
from il2cyto.template._axes import with_channels
from il2cyto.template._boolean import KEYWORDS, Expression, parse
from il2cyto.template._checks import raise_problems
from il2cyto.template._dimensions import Dimension, Matrix
from il2cyto.template._expect import Expectation
from il2cyto.template._gate import Key, Number, Share
from il2cyto.template._transforms import AnyTransform, TransformRules

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Level = Literal["own", "sample", "subject", "batch", "study", "fixed"]
#: Levels that need no number of the template.
GroupLevel = Literal["own", "sample", "subject", "batch", "study"]
#: Sheet columns by which cuts may borrow strength. Arm, visit, date and response are not among them, by construction.
GroupColumn = Literal["batch", "subject", "site", "cytometer"]

_ADDED_LATER: Final = frozenset({"dimensions", "matrices", "expect", "beads"})


class Adapt(Strict):
    """How the cuts of one gate borrow strength from other samples."""

    level: Level = "sample"
    fixed: Number | None = None
    min_group: Annotated[int, Field(ge=2)] = 3
    outlier_k: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 4.0
    delta_min: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    fit_on: Literal["all", "controls"] = "all"

    @model_validator(mode="after")
    def _fixed_has_a_number(self) -> Self:
        if self.level == "fixed" and self.fixed is None:
            msg = "adapt: level is 'fixed' but there is no number; give `fixed: <cut>`"
            raise ValueError(msg)
        return self


class MinParent(Strict):
    """Events a parent needs: below `nan` the fraction is NaN, below `warn` it is flagged."""

    nan: Annotated[int, Field(ge=0)] = 50
    warn: Annotated[int, Field(ge=1)] = 200


class Endpoint(Strict):
    """What makes a population an endpoint: its denominators (the first is its parent) and the range that raises no flag."""

    denominators: Annotated[tuple[Name, ...], Field(min_length=1)]
    plausible: tuple[Share, Share] = (0.0, 1.0)


class Grouping(Strict):
    """Which sheet column stands behind each level."""

    batch: GroupColumn = "batch"
    subject: GroupColumn = "subject"


class Population(Strict):
    """One node of the tree: a gate, or a boolean combination, inside its parent."""

    name: Name
    parent: str
    label: str = ""
    phenotype: str = ""
    cell_ontology_id: Annotated[str, Field(pattern=r"^(CL:\d{7})?$")] = ""
    gate: GateField | None = None
    where: str | None = None
    if_missing: Literal["fail", "skip", "pass"] = "fail"
    report: bool = True
    adapt: Adapt = Adapt()
    min_parent: MinParent = MinParent()
    endpoint: Endpoint | None = None

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, value: str) -> str:
        if value in (*KEYWORDS, ROOT):
            msg = f"{value!r} is a word of the template language; choose another name"
            raise ValueError(msg)
        return value

    @field_validator("where")
    @classmethod
    def _where_parses(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse(value)
            except TemplateError as error:
                raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.gate is None) == (self.where is None):
            msg = f"population {self.name!r} has {'both gate and where' if self.gate else 'neither gate nor where'}; give one"
            raise ValueError(msg)
        return self

    @cached_property
    def expression(self) -> Expression | None:
        """The parsed `where`."""
        return None if self.where is None else parse(self.where)

    @property
    def referred(self) -> tuple[str, ...]:
        """Populations other than the parent that must be known before this one."""
        if self.expression is not None:
            return self.expression.names()
        return self.gate.referred if self.gate is not None else ()


class GatingTemplate(Strict):
    """A gating strategy for one panel.

    Attributes
    ----------
    requires, optional
        Markers (or channels) that every file must have, may have.
    transform
        Scale by marker or channel; cuts of the template are on that scale.
    dimensions
        Names that gates may use beside markers, each with a compensation and a scale of its own (imported gates need it).
    matrices
        Spillover matrices that dimensions name.
    populations
        The tree; a denominator of an endpoint is always reported.
    expect
        What the markers must do on the events of a file if its labels are right.
    total
        The population that stands for all cells of interest in the layer ``freq_of_total``.
    live
        The population whose fraction of its parent is the sample's viability.
    beads
        The population of counting beads, from which absolute counts follow.

    Notes
    -----
    Construction checks the whole template and reports every problem at once.
    """

    template_schema: Literal["il2cyto/gating-template/1"] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    version: Annotated[str, Field(min_length=1)]
    description: str = ""
    requires: tuple[Key, ...] = ()
    optional: tuple[Key, ...] = ()
    compensation: Literal["acquisition", "none"] = "acquisition"
    transform: TransformRules = TransformRules()
    dimensions: dict[Key, Dimension] = Field(default_factory=dict)
    matrices: dict[Key, Matrix] = Field(default_factory=dict)
    grouping: Grouping = Grouping()
    adapt: Adapt = Adapt()
    min_parent: MinParent = MinParent()
    total: Name | None = None
    live: Name | None = None
    beads: Name | None = None
    populations: Annotated[tuple[Population, ...], Field(min_length=1)]
    expect: tuple[Expectation, ...] = ()

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    @field_validator("populations")
    @classmethod
    def _corners_know_their_channels(cls, value: tuple[Population, ...]) -> tuple[Population, ...]:
        channels = with_channels({p.name: p.gate for p in value})
        return tuple(
            p if p.gate is channels[p.name] else p.model_copy(update={"gate": channels[p.name]}) for p in value
        )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        raise_problems(self)
        return self

    @cached_property
    def by_name(self) -> dict[str, Population]:
        """Populations by name."""
        return {p.name: p for p in self.populations}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names in an order in which parents and references come before those that need them."""
        done: dict[str, None] = {}

        def visit(name: str) -> None:
            if name == ROOT or name in done:
                return
            population = self.by_name[name]
            for other in (population.parent, *population.referred):
                visit(other)
            done[name] = None

        for population in self.populations:
            visit(population.name)
        return tuple(done)

    @property
    def reported(self) -> tuple[Population, ...]:
        """Populations that become columns of the results, in the order of the template."""
        return tuple(p for p in self.populations if p.report)

    def scale_of(self, key: str) -> AnyTransform:
        """The transform of a marker, channel or dimension as the template writes it."""
        return self.dimensions[key].transform if key in self.dimensions else self.transform.of(key)

    def path(self, name: str) -> str:
        """The population's place in the tree, such as ``/lymphocytes/T/CD4``."""
        parts = []
        while name != ROOT:
            parts.append(name)
            name = self.by_name[name].parent
        return "/" + "/".join(reversed(parts))

    def adapt_of(self, name: str) -> Adapt:
        """How a population's cuts adapt: its own settings, the rest from the template's."""
        own = self.by_name[name].adapt
        return self.adapt.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})

    def at_level(self, level: GroupLevel) -> GatingTemplate:
        """The same gates, with every cut adapting at one level: for the question whether a result hangs on where cuts are locked."""
        content = self.model_dump(by_alias=True, exclude_unset=True)
        populations = [{**p, "adapt": {**p.get("adapt", {}), "level": level}} for p in content["populations"]]
        return GatingTemplate.model_validate({**content, "populations": populations})

    def min_parent_of(self, name: str) -> MinParent:
        """The counting floors of a population: its own settings, the rest from the template's."""
        own = self.by_name[name].min_parent
        return self.min_parent.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, defaults filled in: comments and the order of keys do not change it."""
        filled = [
            p.model_copy(update={"adapt": self.adapt_of(p.name), "min_parent": self.min_parent_of(p.name)})
            for p in self.populations
        ]
        dump = self.model_copy(update={"populations": tuple(filled)}).model_dump(mode="json", by_alias=True)
        # A template without what was added later keeps the digest, and the seeds, it always had.
        dump = {key: value for key, value in dump.items() if key not in _ADDED_LATER or value}
        for adapt in (dump["adapt"], *(p["adapt"] for p in dump["populations"])):
            if adapt["fit_on"] == "all":
                del adapt["fit_on"]
        content = json.dumps(dump, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()
