"""What all sections of the configuration file have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


def _is_of_numbers(kind: Any) -> bool:
    """Whether a type, or what it is made of, is a number or a time."""
    return kind in (int, float, timedelta) or any(map(_is_of_numbers, get_args(kind)))


class Section(BaseModel):
    """A part of the file. Unknown keys are errors; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_word_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse yes and no where a number or a time belongs: pydantic would read 1 and 0."""
        if isinstance(value, bool) and _is_of_numbers(cls.model_fields[info.field_name or ""].annotation):
            raise ValueError(
                f"is {str(value).lower()} to YAML, as on, off, yes and no are unless quoted: should be a number"
            )
        return value
