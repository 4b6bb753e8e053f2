"""Dates as letters write them."""

from datetime import date
from typing import Final

_MONTHS: Final = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
    "es": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    ),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_FORMS: Final = {
    "de": "{day}. {month} {year}",
    "en": "{day} {month} {year}",
    "es": "{day} de {month} de {year}",
    "fr": "{day} {month} {year}",
}


def written_date(moment: date, language: str) -> str:
    """Return a date with its month in words in the languages of this file, else as ISO 8601."""
    primary = language.partition("-")[0]
    if primary not in _FORMS:
        return f"{moment:%Y-%m-%d}"
    month = _MONTHS[primary].split()[moment.month - 1]
    day = "1er" if primary == "fr" and moment.day == 1 else moment.day
    return _FORMS[primary].format(day=day, month=month, year=moment.year)
