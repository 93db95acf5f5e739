"""Events as AnnData, with the keys that readfcs and pytometry use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto._keys import SCHEMA_VERSION, Obs, Uns, Var
from il2cyto.errors import FcsError
from il2cyto.io._fcs._events import event_flags
from il2cyto.io._fcs._file import open_fcs, warn_of
from il2cyto.io._fcs._keywords import SIMULATED

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from il2cyto.io._fcs._channels import FcsChannel
    from il2cyto.io._fcs._file import FcsFile
    from il2cyto.panel import Channel


def read_fcs(path: str | os.PathLike[str], *, preprocess: bool = True, dataset: int | None = None) -> AnnData:
    """Read the events of an FCS file.

    Parameters
    ----------
    path
        The file.
    preprocess
        Bring values to the linear scale and Time to seconds (see :meth:`FcsFile.events`). They are not compensated.
    dataset
        Data set to read, 1 for the first. Needed only where a file has several.

    Returns
    -------
    Events x channels. `X` is float32, float64 where that would alter values. `var` is indexed by marker, by channel where
    the label names none. `uns["meta"]` holds the keywords that may leave a file, and `spill`, the spillover matrix by var
    index; there is no `spill` where the file has none that can be used. See :doc:`/schema`.

    Raises
    ------
    FcsError
        The file cannot be read for certain.

    Warns
    -----
    FcsWarning
        Once for each flag of the file and of its events; their codes stand in `uns["il2cyto"]["provenance"]`.

    Examples
    --------
    >>> from il2cyto import datasets, io
    >>> events = io.read_fcs(datasets.sample_data_path() / "fcs/SIM-001_W0.fcs")
    >>> "CD25" in events.var_names
    True
    """
    from anndata import AnnData

    file = open_fcs(path, dataset=dataset)
    odd_events = event_flags(file)
    warn_of(odd_events, file.name)
    understood = file.panel().channels
    var = _var(file.channels, understood)
    return AnnData(
        X=file.events(preprocess=preprocess),
        obs=_obs(file),
        var=var,
        uns={
            Uns.META: _meta(file, var),
            Uns.IL2CYTO: {
                Uns.VERSION: SCHEMA_VERSION,
                Uns.OBJECT: "events",
                Uns.SIMULATED: file.simulated,
                Uns.PROVENANCE: _provenance(file, [flag.code for flag in odd_events], preprocess=preprocess),
            },
        },
    )


def _obs(file: FcsFile) -> pd.DataFrame:
    import pandas as pd

    sample, n = Path(file.name.removesuffix(".gz")).stem, file.n_events
    columns = {
        Obs.SAMPLE: pd.Categorical([sample] * n, categories=[sample]),
        Obs.FILE_NAME: pd.Categorical([file.name] * n, categories=[file.name]),
        # The sample sheet knows the batch, the file does not.
        Obs.BATCH: pd.Categorical([None] * n, categories=pd.Index([], dtype=object)),
    }
    return pd.DataFrame(columns, index=pd.Index([f"{sample}-{i}" for i in range(n)], dtype=object))


def _var(channels: Sequence[FcsChannel], understood: Sequence[Channel]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(
        {
            Var.N: [str(c.index + 1) for c in channels],
            Var.CHANNEL: [c.name for c in channels],
            Var.MARKER: [c.marker for c in understood],
            Var.PNB: [str(c.bits) for c in channels],
            Var.PNE: [f"{c.amplification[0]:g},{c.amplification[1]:g}" for c in channels],
            Var.PNG: ["" if c.gain is None else f"{c.gain:g}" for c in channels],
            Var.PNR: [f"{c.range:.15g}" for c in channels],
            Var.SIGNAL_TYPE: [c.signal for c in understood],
            Var.DETECTOR_TYPE: [c.detector for c in understood],
            Var.FLUOROCHROME: [c.fluorochrome for c in understood],
        },
        index=pd.Index(_unique_names(understood), dtype=object),
    )
    return table.astype("category")


def _unique_names(understood: Sequence[Channel]) -> list[str]:
    names = [c.marker or c.name for c in understood]
    names = [f"{name} ({c.name})" if names.count(name) > 1 else name for name, c in zip(names, understood, strict=True)]
    return names


def _meta(file: FcsFile, var: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    meta: dict[str, Any] = {key.lower().removeprefix("$"): value for key, value in file.keywords.items()}
    if file.simulated:
        meta[SIMULATED.lower()] = True
    try:
        spillover = file.spillover()
    except FcsError:
        # The events are sound, and the flag has said that the matrix is not.
        return meta
    if spillover is not None:
        index_of = dict(zip(var[Var.CHANNEL], var.index, strict=True))
        labels = [index_of[name] for name in spillover.channels]
        meta["spill"] = pd.DataFrame(spillover.matrix.copy(), index=labels, columns=labels)
    return meta


def _provenance(file: FcsFile, event_codes: list[str], *, preprocess: bool) -> str:
    from il2cyto import __version__

    flags = sorted({flag.code for flag in file.flags} | set(event_codes))
    return json.dumps({"il2cyto": __version__, "preprocess": preprocess, "file_flags": flags}, sort_keys=True)
