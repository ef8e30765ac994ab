"""`addresses`: the exact pairs of public and internal addresses."""

from __future__ import annotations

from shared.configuration.section import Section
from shared.configuration.values import File


class AddressSettings(Section):
    """map: a CSV file with the columns public, internal, notes_name; read again when it changes."""

    map: File | None = None
