"""Phrases in the languages that the component in the frame speaks too."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase in each language."""

    en: str
    de: str
    fr: str
    es: str

    def text(self, locale: str | None) -> str:
        """The phrase in the language of a BCP 47 tag; an unknown language speaks English."""
        language = re.split("[-_]", locale or "", maxsplit=1)[0].lower()
        found = {"de": self.de, "fr": self.fr, "es": self.es}.get(language)
        return self.en if found is None else found
