"""`addresses`: the exact pairs of public and internal addresses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.configuration.section import Section
from shared.configuration.values import File


class AddressSettings(Section):
    """map: a CSV file with the columns public, internal, notes_name, aliases; read again when it changes.

    max_shrink: the share of its pairs (0 to 1) that a new version of the map may lack; a version that lacks more is
    rejected until the service is reloaded or restarted. 1 accepts every version.
    """

    map: File | None = None
    max_shrink: Annotated[float, Field(ge=0, le=1)] = 0.1
