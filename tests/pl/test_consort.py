from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from il2cyto import pl as pictures
from tests.pl import _tables as tables


def boxes(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_stage_has_its_count_and_every_reason_its_number() -> None:
    drawn = boxes(pictures.consort(tables.consort(), arms=tables.ARMS))

    assert drawn[0] == "Assessed for eligibility (n = 65)"
    assert "Not enrolled (n = 5)\n  did not meet criteria (4)\n  declined (1)" in drawn
    assert {"Allocated to placebo (n = 30)", "Allocated to IL-2 (n = 30)"} <= set(drawn)
    assert "Discontinued (n = 3)\n  lack of efficacy (2)\n  withdrew (1)" in drawn
    assert drawn[-2:] == ["Analysed (n = 30)", "Analysed (n = 29)"]


def test_a_study_without_arms_is_one_column() -> None:
    flow = pl.DataFrame({"stage": ["contacted", "analysed"], "arm": [None, None], "reason": [None, None], "n": [8, 7]})

    assert boxes(pictures.consort(flow)) == ["Assessed for eligibility (n = 8)", "Analysed (n = 7)"]


def test_an_unknown_stage_is_named_with_those_allowed() -> None:
    flow = pl.DataFrame({"stage": ["screened"], "arm": [None], "reason": [None], "n": [8]})
    with pytest.raises(ValueError, match="consort: no stage 'screened'; allowed are contacted, not_enrolled"):
        pictures.consort(flow)
