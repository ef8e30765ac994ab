"""What all sections of the configuration file have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


def _is_of_numbers(kind: Any) -> bool:
    """Whether a type, or a part of it, is a number or a duration."""
    return kind in (int, float, timedelta) or any(map(_is_of_numbers, get_args(kind)))


class Section(BaseModel):
    """A part of the file. Unknown keys are errors; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject yes and no where a number or a time is expected: pydantic would read 1 and 0."""
        if isinstance(value, bool) and _is_of_numbers(cls.model_fields[info.field_name or ""].annotation):
            raise ValueError(
                f"is {str(value).lower()} to YAML, as on, off, yes and no are unless quoted: write a number"
            )
        return value
