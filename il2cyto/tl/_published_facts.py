"""What He et al., Ann Rheum Dis 2020;79:141-149, print: counts, percentages and p values, oddities kept as printed.

Sources: abstract (PubMed 31537547) and Tables 1 to 3 of the article. Nothing here was computed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ABSTRACT, TABLE_1, TABLE_2, TABLE_3 = "abstract", "Table 1", "Table 2", "Table 3"


class Counts(NamedTuple):
    """Two counts of subjects, x1 of n1 and x2 of n2, and the printed p value."""

    id: str
    source: str
    x1: int
    n1: int
    x2: int
    n2: int
    p: str


class Percent(NamedTuple):
    """A count of subjects and the printed percentage."""

    id: str
    source: str
    x: int
    n: int
    percent: str


class Means(NamedTuple):
    """Mean and SD of two groups, and the printed p value."""

    id: str
    source: str
    mean1: float
    sd1: float
    n1: int
    mean2: float
    sd2: float
    n2: int
    p: str


class Raw(NamedTuple):
    """A printed p value that only the subjects' own data could reproduce."""

    id: str
    source: str
    p: str


HEADLINES: Final = (
    Counts("SRI-4, week 12", ABSTRACT, 16, 29, 9, 30, ".052"),
    Counts("SRI-4, week 24", ABSTRACT, 19, 29, 11, 30, ".027"),
    Counts("nephritis, complete remission", ABSTRACT, 7, 13, 2, 12, ".036"),
)

# IL-2 and placebo, of 30 each.
BASELINE_COUNTS: Final = tuple(
    Counts(f"baseline: {name}", TABLE_1, x1, 30, x2, 30, p)
    for name, x1, x2, p in (
        ("female", 27, 29, ".612"),
        ("BILAG 1 A or 2 B", 21, 21, "1.000"),
        ("hydroxychloroquine", 29, 28, "1.000"),
        ("cyclophosphamide", 4, 0, ".112"),
        ("azathioprine", 1, 4, ".352"),
        ("cyclosporine", 0, 5, ".052"),
        ("mycophenolate", 9, 8, "1.000"),
        ("leflunomide", 3, 1, ".611"),
        ("tacrolimus", 1, 1, "1.000"),
        ("thalidomide", 1, 0, "1.000"),
        ("methotrexate", 1, 1, "1.000"),
    )
)

BASELINE_MEANS: Final = tuple(
    Means(f"baseline: {name}", TABLE_1, mean1, sd1, 30, mean2, sd2, 30, p)
    for name, mean1, sd1, mean2, sd2, p in (
        ("age, years", 31.58, 9.25, 29.83, 9.72, ".474"),
        ("weight, kg", 54.81, 8.33, 58.69, 8.87, ".117"),
        ("height, cm", 162.23, 6.81, 162.67, 5.41, ".743"),
        ("body surface, m²", 1.57, 0.14, 1.62, 0.13, ".708"),
        ("disease duration, months", 66.7, 57.4, 63.6, 59.9, ".652"),
    )
)

# Within an arm: of n subjects those with it at baseline, week 12 and week 24; p of weeks 12 and 24 against baseline.
_WITHIN = (
    ("BILAG 1 A or 2 B", "IL-2", 30, 21, 2, 1, "<.001", "<.001"),
    ("BILAG 1 A or 2 B", "placebo", 30, 21, 4, 2, "<.001", "<.001"),
    ("rash", "IL-2", 29, 13, 2, 2, ".002", ".002"),
    ("rash", "placebo", 30, 16, 6, 6, ".015", ".015"),
    ("oral ulcer", "IL-2", 29, 4, 0, 0, ".112", ".112"),
    ("oral ulcer", "placebo", 30, 1, 0, 0, "1.000", "1.000"),
    ("arthritis", "IL-2", 29, 14, 4, 3, ".010", ".003"),
    ("arthritis", "placebo", 30, 15, 9, 8, ".187", ".110"),
    ("vasculitis", "IL-2", 29, 4, 0, 0, ".112", ".112"),
    ("vasculitis", "placebo", 30, 2, 0, 0, ".492", ".492"),
    ("alopecia", "IL-2", 29, 12, 6, 5, ".158", ".082"),
    ("alopecia", "placebo", 30, 7, 2, 2, ".144", ".144"),
    ("fever", "IL-2", 29, 3, 0, 0, ".237", ".237"),
    ("fever", "placebo", 30, 4, 1, 0, ".352", ".167"),
    ("myositis", "IL-2", 29, 1, 0, 0, "1.000", "1.000"),
    ("myositis", "placebo", 30, 2, 0, 0, ".492", ".492"),
    ("ANA decreased", "IL-2", 29, 0, 7, 8, ".500", ".320"),
    ("ANA decreased", "placebo", 30, 0, 11, 12, ".036", ".036"),
)
WITHIN_COUNTS: Final = tuple(
    Counts(f"{name}, {arm}, week {week} v baseline", TABLE_2, x, n, before, n, p)
    for name, arm, n, before, at_12, at_24, p_12, p_24 in _WITHIN
    for week, x, p in ((12, at_12, p_12), (24, at_24, p_24))
)

PERCENTS: Final = (
    Percent("SRI-4, IL-2, week 12", ABSTRACT, 16, 29, "55.17"),
    Percent("SRI-4, placebo, week 12", ABSTRACT, 9, 30, "30.00"),
    Percent("SRI-4, IL-2, week 24", ABSTRACT, 19, 29, "65.52"),
    Percent("SRI-4, placebo, week 24", ABSTRACT, 11, 30, "36.67"),
    Percent("nephritis, complete remission, IL-2", ABSTRACT, 7, 13, "53.85"),
    Percent("nephritis, complete remission, placebo", ABSTRACT, 2, 12, "16.67"),
    *(
        Percent(f"{name}, {arm}, {visit}", TABLE_2, x, n, percent)
        for name, arm, n, printed in (
            ("BILAG 1 A or 2 B", "IL-2", 30, ((21, "70.00"), (2, "6.67"), (1, "3.33"))),
            ("BILAG 1 A or 2 B", "placebo", 30, ((21, "70.00"), (4, "13.33"), (2, "6.67"))),
            ("rash", "IL-2", 29, ((13, "44.83"), (2, "6.90"), (2, "6.90"))),
            ("rash", "placebo", 30, ((16, "53.33"), (6, "20.0"), (6, "20.0"))),
        )
        for visit, (x, percent) in zip(("baseline", "week 12", "week 24"), printed, strict=True)
    ),
    Percent("ANA decreased, IL-2, week 12", TABLE_2, 7, 29, "24.14"),
    Percent("ANA decreased, IL-2, week 24", TABLE_2, 8, 29, "27.59"),
    Percent("ANA decreased, placebo, week 12", TABLE_2, 11, 30, "36.67"),
    Percent("ANA decreased, placebo, week 24", TABLE_2, 12, 30, "40.0"),
    *(
        Percent(f"{name}, {arm}", TABLE_3, x, {"IL-2": 29, "placebo": 30}[arm], percent)
        for name, arm, x, percent in (
            ("serious adverse event", "placebo", 3, "10.0"),
            ("NPSLE", "placebo", 1, "3.3"),
            ("herpes zoster", "placebo", 1, "3.3"),
            ("pneumonia", "placebo", 1, "3.3"),
            ("infection", "IL-2", 2, "6.9"),
            ("infection", "placebo", 6, "20.0"),
            ("upper respiratory infection", "IL-2", 2, "6.9"),
            ("upper respiratory infection", "placebo", 4, "13.3"),
            ("severe infection", "placebo", 2, "6.7"),
            ("injection site reaction", "IL-2", 9, "31.0"),
            ("injection site reaction", "placebo", 2, "6.7"),
            ("fever", "IL-2", 4, "13.8"),
            ("flu-like symptoms", "IL-2", 3, "10.3"),
        )
    ),
)

RAW: Final = (
    Raw("baseline: SLEDAI", TABLE_1, ".351"),
    Raw("baseline: BILAG", TABLE_1, ".372"),
    Raw("baseline: PGA", TABLE_1, ".446"),
    Raw("baseline: prednisone, mg/d", TABLE_1, ".331"),
    *(
        Raw(f"{name}, {arm}, week {week} v baseline", TABLE_2, p)
        for name, arm, p_12, p_24 in (
            ("SLEDAI", "IL-2", "<.001", "<.001"),
            ("SLEDAI", "placebo", "<.001", ".002"),
            ("BILAG", "IL-2", ".014", "<.001"),
            ("BILAG", "placebo", ".037", ".004"),
            ("PGA", "IL-2", "<.001", "<.001"),
            ("PGA", "placebo", "<.001", "<.001"),
            ("prednisone, mg/d", "IL-2", ".001", "<.001"),
            ("prednisone, mg/d", "placebo", ".004", "<.001"),
            ("anti-dsDNA, IU/mL", "IL-2", ".037", ".063"),
            ("anti-dsDNA, IU/mL", "placebo", ".196", ".235"),
            ("AnuA, IU/mL", "IL-2", ".439", ".044"),
        )
        for week, p in ((12, p_12), (24, p_24))
    ),
)
