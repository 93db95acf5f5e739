"""The gating template that travels with a cohort object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._keys import Uns
from il2cyto._tidy import panels
from il2cyto.io._templates import parse_template

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto.template import GatingTemplate


def template(adata: AnnData) -> GatingTemplate:
    """Give the gating template that an object was gated with; its text travels with the object.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.template(adata).name
    'tnk'
    """
    if Uns.IL2CYTO not in getattr(adata, "uns", ()):
        panels(adata)  # says what it is, and how to get a cohort object
    return parse_template(str(adata.uns[Uns.IL2CYTO][Uns.TEMPLATE]["source"]))
