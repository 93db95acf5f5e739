"""What a reader found odd in a file: stable codes, one table of meanings, and the collector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LISTED: Final = 5

#: Code -> what it means. Codes are stored in results: they may be added, never renamed.
MEANINGS: Final[dict[str, str]] = {
    # HEADER and placement of segments
    "version": "HEADER names a version other than 2.0, 3.0, 3.1 and 3.2; read as if it were 3.1",
    "header_data": "HEADER does not say where DATA is; the offsets of TEXT were taken",
    "text_data": "TEXT does not say where DATA is; the offsets of HEADER were taken",
    "data_offsets": "HEADER and TEXT place DATA differently; the place that holds $TOT events next to TEXT was taken",
    "data_end": "the DATA segment is a little longer or shorter than $TOT events; $TOT was taken",
    "analysis": "the ANALYSIS segment lies beyond the end of the file; it was ignored",
    "crc": "the checksum does not match the bytes: the file was changed after it was written",
    "nextdata_missing": "no $NEXTDATA; taken as the only data set",
    "nextdata_lost": "$NEXTDATA points to where no data set begins; what it pointed to is lost",
    # TEXT
    "empty_value": "keywords without a value; read so that no keyword is swallowed",
    "text_ambiguous": "doubled delimiters can be read in two ways; read as the standard says",
    "text_padding": "TEXT is padded after its last delimiter",
    "text_end": "TEXT does not end with exactly one delimiter",
    "text_blank_keyword": "a keyword without a name was skipped",
    "encoding": "a value is not UTF-8; read as Latin-1",
    "repeated_keyword": "a keyword stands twice; the first was taken",
    "stext_overlap": "supplemental TEXT lies over HEADER or TEXT; it was skipped",
    "stext_unusable": "supplemental TEXT cannot be read; it was skipped, labels may be lost",
    "stext_conflict": "supplemental TEXT contradicts TEXT; TEXT was taken",
    # Required keywords
    "tot_missing": "no $TOT; the number of events was taken from the length of DATA",
    "mode": "$MODE is absent or in lower case; read as list mode",
    "datatype_case": "$DATATYPE is in lower case",
    # Channels
    "name_trimmed": "$PnN has blanks around it; they were cut",
    "name_comma": "$PnN has a comma, which $SPILLOVER cannot hold",
    "names_alike": "$PnN differ by case or Unicode form only",
    "labels_repeated": "several channels have the same $PnS",
    "range_unreadable": "$PnR is absent or not a positive number; the range is unknown",
    "range_beyond_word": "$PnR is larger than $PnB bits can hold; no mask was applied",
    "amplification": "$PnE is absent or unreadable; read as linear",
    "amplification_repaired": "$PnE has a logarithm that starts at 0; read as starting at 1",
    "amplification_ignored": "$PnE asks for a logarithm of floating-point or Time values; ignored",
    "gain_unknown": "$PnG is not a positive number; not applied",
    "gain_with_log": "$PnG stands beside logarithmic amplification; not applied",
    "timestep": "$TIMESTEP is not a positive number; Time stays in ticks",
    "time_channels": "more than one Time channel; none was scaled by $TIMESTEP",
    # Compensation
    "spill_unusable": "the spillover matrix is unusable; asking for it is an error",
    "spill_empty": "the spillover keyword holds no matrix",
    "spill_identity": "the spillover matrix is the identity: no compensation",
    "spill_negative": "the spillover matrix has negative values; it may be an inverse",
    "spill_condition": "the spillover matrix is nearly singular; compensation amplifies noise",
    "spill_differ": "two spillover keywords differ; the first of $SPILLOVER, SPILL, SPILLOVER was taken",
    "comp_ignored": "$COMP, the compensation of FCS 3.0, is not applied",
    # Events
    "no_events": "the file holds no events; frequencies are undefined",
    "nonfinite": "events with NaN or infinite values",
    "zero_channel": "a channel is 0 in all events",
    "constant_channel": "a channel has one value in all events",
    "masked": "integers with bits set above $PnR, which were cleared",
    "saturated": "a channel has many events at the top of its range",
    "extreme": "values too large or too small to be measurements",
    "repeated_events": "a block of events stands more than once",
    "time_constant": "Time does not advance",
    "time_backwards": "Time goes backwards",
}


@dataclass(frozen=True, slots=True)
class FcsFlag:
    """Something odd in a file that was repaired, ignored or should be looked at.

    Attributes
    ----------
    code
        Stable name, a key of `MEANINGS`.
    message
        The meaning, with the keywords or counts concerned; never a keyword's value.
    """

    code: str
    message: str


class Notes:
    """Flags of one data set of a file, while it is read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[str, list[str]] = {}

    def flag(self, code: str, where: str = "") -> None:
        """Note a flag; `where` is a keyword name or a count."""
        places = self._found.setdefault(code, [])
        if where and where not in places[: _LISTED + 1]:
            places.append(where)

    @property
    def flags(self) -> tuple[FcsFlag, ...]:
        """One flag per code, in the order of discovery."""
        return tuple(FcsFlag(code, _message(code, places)) for code, places in self._found.items())


def _message(code: str, places: list[str]) -> str:
    if not places:
        return MEANINGS[code]
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return f"{MEANINGS[code]} ({', '.join(places[:_LISTED])}{more})"
