"""Variables of CDISC's data sets, in order: SDTM CP and SUPPCP (SDTMIG 3.4), and an analysis data set ADCP after ADaM's BDS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CT_VERSION: Final = "CDISC CT 2026-03-27"


@dataclass(frozen=True)
class Variable:
    """A column of a data set.

    Attributes
    ----------
    kind
        ``char`` or ``num``.
    core
        SDTM's Req, Exp or Perm; empty for ADaM.
    codelist
        Code of the controlled terminology, or empty.
    """

    name: str
    label: str
    kind: Literal["char", "num"] = "char"
    core: str = ""
    codelist: str = ""


def _variables(text: str) -> tuple[Variable, ...]:
    """One variable a line: name, label, C or N, core, codelist."""
    rows = (tuple(cell.strip() for cell in line.split("|")) for line in text.strip().splitlines())
    return tuple(
        Variable(name, label, "num" if kind == "N" else "char", core, lists) for name, label, kind, core, lists in rows
    )


CP: Final = _variables("""
STUDYID  | Study Identifier                         | C | Req  |
DOMAIN   | Domain Abbreviation                      | C | Req  |
USUBJID  | Unique Subject Identifier                | C | Req  |
CPSEQ    | Sequence Number                          | N | Req  |
CPGRPID  | Group ID                                 | C | Perm |
CPREFID  | Reference ID                             | C | Perm |
CPSPID   | Sponsor-Defined Identifier               | C | Perm |
CPLNKID  | Link ID                                  | C | Perm |
CPLNKGRP | Link Group ID                            | C | Perm |
CPTESTCD | Test or Examination Short Name           | C | Req  | C181173
CPTEST   | Test or Examination Name                 | C | Req  | C181174
CPSBMRKS | Sublineage Marker String                 | C | Perm |
CPCELSTA | Cell State                               | C | Perm |
CPCSMRKS | Cell State Marker String                 | C | Perm |
CPTSTCND | Test Condition                           | C | Perm |
CPCNDAGT | Test Condition Agent                     | C | Perm |
CPBDAGNT | Binding Agent                            | C | Perm |
CPABCLID | Antibody Clone Identifier                | C | Perm |
CPMRKSTR | Marker String                            | C | Exp  |
CPGATE   | Gate                                     | C | Perm |
CPGATDEF | Gate Definition                          | C | Perm |
CPSPTSTD | Sponsor Test Description                 | C | Perm |
CPCAT    | Category                                 | C | Perm |
CPSCAT   | Subcategory                              | C | Perm |
CPTSTPNL | Test Panel                               | C | Perm |
CPORRES  | Result or Finding in Original Units      | C | Exp  |
CPORRESU | Original Units                           | C | Perm |
CPRESSCL | Result Scale                             | C | Perm |
CPRESTYP | Result Type                              | C | Perm |
CPCOLSRT | Collected Summary Result Type            | C | Perm |
CPORNRLO | Reference Range Lower Limit in Orig Unit | C | Perm |
CPORNRHI | Reference Range Upper Limit in Orig Unit | C | Perm |
CPSTRESC | Result or Finding in Standard Format     | C | Exp  |
CPSTRESN | Numeric Result/Finding in Standard Units | N | Perm |
CPSTRESU | Standard Units                           | C | Perm |
CPSTNRLO | Reference Range Lower Limit-Std Units    | N | Perm |
CPSTNRHI | Reference Range Upper Limit-Std Units    | N | Perm |
CPNRIND  | Reference Range Indicator                | C | Perm |
CPSTAT   | Completion Status                        | C | Perm |
CPREASND | Reason Not Done                          | C | Perm |
CPNAM    | Laboratory/Vendor Name                   | C | Perm |
CPLOINC  | LOINC Code                               | C | Perm |
CPSPEC   | Specimen Type                            | C | Perm |
CPSPCCND | Specimen Condition                       | C | Perm |
CPMETHOD | Method of Test or Examination            | C | Perm |
CPANMETH | Analysis Method                          | C | Perm |
CPLOBXFL | Last Observation Before Exposure Flag    | C | Perm |
CPBLFL   | Baseline Flag                            | C | Perm |
CPDRVFL  | Derived Flag                             | C | Perm |
CPCLSIG  | Clinically Significant, Collected        | C | Perm |
VISITNUM | Visit Number                             | N | Perm |
VISIT    | Visit Name                               | C | Perm |
VISITDY  | Planned Study Day of Visit               | N | Perm |
TAETORD  | Planned Order of Element within Arm      | N | Perm |
EPOCH    | Epoch                                    | C | Perm |
CPDTC    | Date/Time of Specimen Collection         | C | Exp  |
CPDY     | Study Day of Specimen Collection         | N | Perm |
CPTPT    | Planned Time Point Name                  | C | Perm |
CPTPTNUM | Planned Time Point Number                | N | Perm |
CPELTM   | Planned Elapsed Time from Time Point Ref | C | Perm |
CPTPTREF | Time Point Reference                     | C | Perm |
CPRFTDTC | Date/Time of Reference Time Point        | C | Perm |
""")

SUPPCP: Final = _variables("""
STUDYID  | Study Identifier                         | C | Req  |
RDOMAIN  | Related Domain Abbreviation              | C | Req  |
USUBJID  | Unique Subject Identifier                | C | Req  |
IDVAR    | Identifying Variable                     | C | Exp  |
IDVARVAL | Identifying Variable Value               | C | Exp  |
QNAM     | Qualifier Variable Name                  | C | Req  |
QLABEL   | Qualifier Variable Label                 | C | Req  |
QVAL     | Data Value                               | C | Req  |
QORIG    | Origin                                   | C | Req  |
QEVAL    | Evaluator                                | C | Exp  |
""")

ADCP: Final = _variables("""
STUDYID  | Study Identifier                         | C |      |
USUBJID  | Unique Subject Identifier                | C |      |
TRTP     | Planned Treatment                        | C |      |
TRTA     | Actual Treatment                         | C |      |
ITTFL    | Intent-To-Treat Population Flag          | C |      |
MITTFL   | Modified ITT Population Flag             | C |      |
SAFFL    | Safety Population Flag                   | C |      |
AVISIT   | Analysis Visit                           | C |      |
AVISITN  | Analysis Visit (N)                       | N |      |
ADT      | Analysis Date                            | N |      |
ADY      | Analysis Relative Day                    | N |      |
PARAM    | Parameter                                | C |      |
PARAMCD  | Parameter Code                           | C |      |
PARAMN   | Parameter (N)                            | N |      |
PARCAT1  | Parameter Category 1                     | C |      |
AVAL     | Analysis Value                           | N |      |
BASE     | Baseline Value                           | N |      |
CHG      | Change from Baseline                     | N |      |
PCHG     | Percent Change from Baseline             | N |      |
ABLFL    | Baseline Record Flag                     | C |      |
ANL01FL  | Analysis Flag 01                         | C |      |
DTYPE    | Derivation Type                          | C |      |
CRIT1    | Analysis Criterion 1                     | C |      |
CRIT1FL  | Criterion 1 Evaluation Result Flag       | C |      |
SRCDOM   | Source Data                              | C |      |
SRCVAR   | Source Variable                          | C |      |
SRCSEQ   | Source Sequence Number                   | N |      |
""")

DATASETS: Final = {
    "CP": ("Cell Phenotyping Findings", CP),
    "SUPPCP": ("Supplemental Qualifiers for CP", SUPPCP),
    "ADCP": ("Cell Phenotyping Analysis", ADCP),
}
