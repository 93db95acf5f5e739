"""Items of the SLEDAI and domains of the BILAG: what columns of a visit table are called and what they weigh."""

from __future__ import annotations

from typing import Final

#: SLEDAI item -> weight; the sum is 105. Weights are those of SELENA-SLEDAI and SLEDAI-2K alike.
SLEDAI_WEIGHTS: Final = {
    **dict.fromkeys(("seizure", "psychosis", "organic_brain_syndrome", "visual", "cranial_nerve"), 8),
    **dict.fromkeys(("lupus_headache", "cva", "vasculitis"), 8),
    **dict.fromkeys(("arthritis", "myositis", "casts", "haematuria", "proteinuria", "pyuria"), 4),
    **dict.fromkeys(("rash", "alopecia", "mucosal_ulcers", "pleurisy", "pericarditis"), 2),
    **dict.fromkeys(("low_complement", "dna_binding"), 2),
    **dict.fromkeys(("fever", "thrombocytopenia", "leukopenia"), 1),
}
SLEDAI_TOP: Final = sum(SLEDAI_WEIGHTS.values())
#: Items that a laboratory value alone sets; the clinical SLEDAI leaves them out.
SEROLOGY_ITEMS: Final = ("low_complement", "dna_binding")

_COMMON: Final = ("mucocutaneous", "musculoskeletal", "cardiorespiratory", "renal", "haematological")
BILAG_DOMAINS: Final = {
    "2004": ("constitutional", "neuropsychiatric", "gastrointestinal", "ophthalmic", *_COMMON),
    "classic": ("general", "neurological", "vasculitis", *_COMMON),
}
BILAG_LETTERS: Final = ("A", "B", "C", "D", "E")
