"""Where the small simulated trial of the source checkout lies."""

from __future__ import annotations

from pathlib import Path

__all__ = ["sample_data_path"]


def sample_data_path() -> Path:
    """Folder ``sample_data/`` of the source checkout: a small simulated trial.

    Returns
    -------
    The folder; it holds ``study.yaml``, the tables, ``fcs/`` and ``truth/``.

    Raises
    ------
    FileNotFoundError
        In an installed wheel, which leaves the data out.

    Examples
    --------
    >>> from il2cyto.datasets import sample_data_path
    >>> (sample_data_path() / "study.yaml").is_file()
    True
    """
    folder = Path(__file__).parents[2] / "sample_data"
    if not (folder / "study.yaml").is_file():
        msg = (
            "sample_data is not part of the installed package; it lies in the source checkout. "
            "Make a trial of your own with il2cyto.datasets.simulate_trial(folder, subjects=8)"
        )
        raise FileNotFoundError(msg)
    return folder
