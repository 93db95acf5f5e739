"""Read a study: its study.yaml and its sheets, with everything that is wrong in one message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from il2cyto.errors import StudyError
from il2cyto.io._clinical_sheets import date_problems, subject_problems
from il2cyto.io._sample_sheet import read_samples
from il2cyto.io._sheet_cells import Column
from il2cyto.io._sheets import Sheet, blanks, not_in, read_sheet, repeats
from il2cyto.io._validation import show
from il2cyto.io._yaml import check_yaml, load_yaml
from il2cyto.study import Study, StudyFile, Trial, TrialFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from il2cyto.io._yaml import YamlDocument

_END_REASONS: Final = (
    *("completed", "adverse_event", "lost", "withdrew", "lack_of_efficacy", "protocol_violation", "death", "other"),
)
_FAILURE_REASONS: Final = (
    *("rescue_medication", "prohibited_medication", "steroid_above_cap", "ip_discontinued", "death"),
)
SUBJECT_COLUMNS: Final = (
    Column("subject", required=True, accepted=("USUBJID",), fallback="SUBJID"),
    Column("arm", accepted=("TRT01P",)),
    Column("arm_actual", accepted=("TRT01A", "ACTARM")),
    *(Column(name, "bool") for name in ("enrolled", "randomised", "itt", "mitt", "safety", "lupus_nephritis")),
    *(Column(name) for name in ("not_enrolled_reason", "exclusion_reason")),
    Column("stratum"),
    Column("site", accepted=("SITEID",)),
    Column("sex", choices=("F", "M")),
    Column("age", "float", low=0, high=120),
    Column("weight_kg", "float", low=20, high=250),
    Column("height_cm", "float", low=100, high=230),
    Column("disease_months", "float", low=0),
    *(Column(name, "int", low=0) for name in ("doses_planned", "doses_given")),
    Column("dose_miu", "float", low=0),
    *(Column(name, "int") for name in ("first_dose_day", "last_dose_day", "end_day", "failure_day")),
    Column("end_reason", choices=_END_REASONS),
    Column("failure_reason", choices=_FAILURE_REASONS),
    Column("med_*", "bool"),
)
ALIAS_COLUMNS: Final = (Column("label", required=True, accepted=("found",)), Column("marker", required=True))


def read_study(path: str | Path) -> Study:
    """Read a study file and the sheets that it names.

    Parameters
    ----------
    path
        ``study.yaml``, or the folder that holds it.

    Returns
    -------
    The study. Nothing of the FCS files is looked at; see :func:`il2cyto.inventory.take_inventory`.

    Raises
    ------
    StudyError
        With every problem of the study file, the sample sheet, the subjects and the aliases, a line each, with file and
        line: ``samples.csv:7: visit: 'W3' is not in the schedule; allowed W0, W2; nearest W2``.

    Examples
    --------
    >>> from il2cyto import datasets, io
    >>> io.read_study(datasets.sample_data_path()).visits
    ('W0', 'W6', 'W12')
    """
    path = Path(path).absolute()
    path = path / "study.yaml" if path.is_dir() else path
    document = load_yaml(path, error_class=StudyError)
    settings, problems = check_yaml(document, StudyFile)
    known = _Known.of(document.data)
    problems += _absent_files(document, path.parent, known)
    subjects = _read_subjects(path.parent, known)
    samples = _read_samples(path.parent, known, subjects)
    aliases = _read_aliases(path.parent, known)
    for sheet in (samples, subjects, aliases):
        problems += sheet.messages() if sheet is not None else []
    if problems or settings is None or samples is None:
        raise StudyError("\n".join(problems))
    return Study(
        **{name: getattr(settings, name) for name in StudyFile.model_fields},
        folder=path.parent,
        sheet=samples.frame,
        subject_sheet=None if subjects is None else subjects.frame.drop("line"),
        marker_aliases={} if aliases is None else {a["label"]: a["marker"] or "" for a in aliases.frame.to_dicts()},
        aliases_used={**(subjects.sources if subjects is not None else {}), **samples.sources},
    )


def study_of(study: Study | str | Path, function: str) -> Study:
    """Give a study as it is, or read it where its path is given.

    Raises
    ------
    TypeError
        It is neither; the message names `function`.
    """
    if isinstance(study, Study):
        return study
    if isinstance(study, (str, Path)):
        return read_study(study)
    msg = f"{function}: found {type(study).__name__}; give a study from il2cyto.io.read_study, or the path of its study.yaml"
    raise TypeError(msg)


def read_trial(path: str | Path) -> Trial:
    """Read what a study file says of the trial, without its files: for frequencies that are there already.

    Parameters
    ----------
    path
        ``study.yaml``, or the folder that holds it. `samples` and `panels` may be left out, and are not looked at.

    Returns
    -------
    The trial with its table of subjects.

    Raises
    ------
    StudyError
        With every problem of the study file and the subjects, a line each.
    """
    path = Path(path).absolute()
    path = path / "study.yaml" if path.is_dir() else path
    document = load_yaml(path, error_class=StudyError)
    with_files = isinstance(document.data, dict) and {"samples", "panels"} & set(document.data)
    settings, problems = check_yaml(document, StudyFile if with_files else TrialFile)
    known = _Known.of(document.data)
    of_files = {("samples",), ("aliases",), ("overrides",)}
    problems += _absent_files(document, path.parent, known, leave=of_files)
    subjects = _read_subjects(path.parent, known)
    problems += subjects.messages() if subjects is not None else []
    if problems or settings is None:
        raise StudyError("\n".join(problems))
    return Trial(
        **{name: getattr(settings, name) for name in TrialFile.model_fields},
        folder=path.parent,
        subject_sheet=None if subjects is None else subjects.frame.drop("line"),
    )


@dataclass(frozen=True)
class _Known:
    """What the sheets are held against. Taken from the raw study file, so that its faults do not hide theirs."""

    files: dict[tuple[str, ...], str]
    panels: tuple[str, ...]
    visits: tuple[str, ...]
    arms: tuple[str, ...]

    @classmethod
    def of(cls, data: object) -> _Known:
        data = data if isinstance(data, dict) else {}
        files: dict[tuple[str, ...], object] = {
            (key,): data.get(key) for key in ("samples", "subjects", "aliases", "overrides")
        }
        clinical = data.get("clinical")
        if isinstance(clinical, dict):
            files |= {("clinical", key): clinical.get(key) for key in ("visits", "adverse_events")}
        panels, schedule, arms = data.get("panels"), data.get("schedule"), data.get("arms")
        visits = (
            [item.get("visit") for item in schedule if isinstance(item, dict)] if isinstance(schedule, list) else []
        )
        return cls(
            {key: value for key, value in files.items() if isinstance(value, str) and value and "://" not in value},
            tuple(panels) if isinstance(panels, dict) else (),
            tuple(visit for visit in visits if isinstance(visit, str)),
            tuple(arm for arm in arms if isinstance(arm, str)) if isinstance(arms, list) else (),
        )

    def path(self, folder: Path, *key: str) -> Path | None:
        """Find the file that the study names, if it names one and it is there."""
        path = folder / self.files[key] if key in self.files else None
        return path if path is not None and path.is_file() else None


def _absent_files(
    document: YamlDocument, folder: Path, known: _Known, *, leave: Set[tuple[str, ...]] = frozenset()
) -> Iterator[str]:
    for key, value in known.files.items():
        if key not in leave and known.path(folder, *key) is None:
            text = f"no file {PurePath(value).name!r} there; paths are relative to {document.name}"
            yield document.problem(key, text)


def _read_samples(folder: Path, known: _Known, subjects: Sheet | None) -> Sheet | None:
    path = known.path(folder, "samples")
    if path is None:
        return None
    listed = None
    if subjects is not None and "subject" in subjects.frame.columns:
        listed = set(subjects.frame["subject"].drop_nulls())
    return read_samples(path, folder=folder, panels=known.panels, visits=known.visits, subjects=listed)


def _read_subjects(folder: Path, known: _Known) -> Sheet | None:
    path = known.path(folder, "subjects")
    if path is None:
        return None
    sheet = read_sheet(path, SUBJECT_COLUMNS)
    if "subject" not in sheet.frame.columns:
        return sheet
    rows = sheet.frame.to_dicts()
    sheet.problems += blanks(sheet, "subject", rows)
    for line, (row, before) in repeats(rows, lambda row: row["subject"]).items():
        sheet.problems.append((line, f"subject: {show(row['subject'])} stands in line {before} already; keep one row"))
    for row in rows:
        sheet.problems += [(row["line"], problem) for problem in subject_problems(row)]
    sheet.problems += date_problems(sheet, SUBJECT_COLUMNS)
    sheet.problems += _arm_problems(sheet, known)
    return sheet


def _arm_problems(sheet: Sheet, known: _Known) -> Iterator[tuple[int, str]]:
    columns = [column for column in ("arm", "arm_actual") if column in sheet.frame.columns]
    if known.arms and "arm" not in columns:
        yield 0, f"no column arm, but the study has arms {', '.join(known.arms)}; add it"
    for column in columns:
        found = sheet.frame[column].drop_nulls().unique(maintain_order=True).to_list()
        if found and not known.arms:
            yield (
                0,
                f"{column}: found {', '.join(map(show, found))}, but the study lists no arms; add arms, control first",
            )
            continue
        for line, arm in zip(sheet.frame["line"], sheet.frame[column], strict=True):
            if arm is not None and arm not in known.arms:
                yield line, f"{column}: {not_in(arm, 'arms of the study', known.arms)}"


def _read_aliases(folder: Path, known: _Known) -> Sheet | None:
    path = known.path(folder, "aliases")
    if path is None:
        return None
    sheet = read_sheet(path, ALIAS_COLUMNS)
    if {"label", "marker"} <= set(sheet.frame.columns):
        rows = sheet.frame.to_dicts()
        sheet.problems += blanks(sheet, "label", rows)
        for line, (row, before) in repeats(rows, lambda row: row["label"] and row["label"].casefold()).items():
            sheet.problems.append((line, f"label: {show(row['label'])} stands in line {before} already; keep one"))
    return sheet
