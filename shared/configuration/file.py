"""Reads `causeway.yaml` and the environment into `Settings`, or reports faults: one line each, with the remedy.

The file is the argument, else $CAUSEWAY_CONFIG, else ./causeway.yaml where there is one, else none: defaults and the
environment alone. The environment wins over the file, key by key. Relative paths are relative to the file's folder,
those from the environment to the working directory. No fault shows the value of a URL, which may hold a password.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from shared.configuration.environment import PREFIX
from shared.configuration.settings import Settings
from shared.errors import ConfigurationError

VARIABLE = "CAUSEWAY_CONFIG"
DEFAULT_FILE = Path("causeway.yaml")
_SECRET_KEYS = frozenset({"url"})
_REMEDIES = {
    "model_type": "must be a section: write its keys, indented, below it",
    "list_type": "must be a list: write [a, b], or one `- a` a line",
    "string_type": "must be text: put it in quotes",
    "path_type": "must be the path of a file",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
}


def find(path: Path | None = None) -> Path | None:
    """Return the configuration file to read, or None where argument, environment and folder have none."""
    if path is not None:
        return path
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def load(path: Path | None = None) -> Settings:
    """Return the settings of the file and the environment. Raises ConfigurationError with one line for each fault."""
    file = find(path)
    data = _anchored(Settings, read(file), file.absolute().parent) if file else {}
    if faults := list(_unknown_variables()):
        raise ConfigurationError(*faults)
    try:
        return Settings(**data)
    except ValidationError as error:
        raise ConfigurationError(*dict.fromkeys(_fault(detail, file) for detail in error.errors())) from None
    except SettingsError as error:
        raise ConfigurationError(
            f"environment: {_variable_without_json(error)}: write lists and sections in the environment as JSON"
        ) from None


def read(file: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds. Raises ConfigurationError, with the line where the syntax is wrong."""
    try:
        data = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read ({error.strerror}): name the file with --config or ${VARIABLE}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: is not UTF-8 text: save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigurationError(f"{file}: {where}{error.problem or error.context}: correct the YAML there") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: is not valid YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # what YAML takes for a date
        raise ConfigurationError(f"{file}: a value looks like a date and is none ({error}): put it in quotes") from None
    except RecursionError:
        raise ConfigurationError(f"{file}: is nested too deeply: correct the brackets") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigurationError(
            f"{file}: must be a mapping of keys to values: begin for example with `hostname: mx.example.com`"
        )
    return data


class _Loader(yaml.SafeLoader):
    """A SafeLoader for which a key given twice is an error: the second would silently replace the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                fault = f'duplicate key "{key.value}"'
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _anchored(kind: Any, value: Any, folder: Path) -> Any:
    """Return the value with every relative path in it, found by its type, made absolute below `folder`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
        fields = kind.model_fields
        return {
            key: _anchored(fields[key].annotation, part, folder) if key in fields else part
            for key, part in value.items()
        }
    if value is None and isinstance(kind, type) and issubclass(kind, BaseModel):
        return {}  # a section whose every key is a comment
    if kind is Path and isinstance(value, str):
        return str(folder / Path(value).expanduser())
    if isinstance(value, list):
        return [_anchored(kind, part, folder) for part in value]
    inner = [argument for argument in get_args(kind) if argument is not NoneType]
    return _anchored(inner[0], value, folder) if inner else value


def _unknown_variables() -> Iterator[str]:
    """Yield a fault for each variable of an unknown section. Variables of Kubernetes and others contain no __."""
    for name in sorted(os.environ):
        section, separator, _ = name.removeprefix(PREFIX).partition("__")
        if name.startswith(PREFIX) and separator and section.lower() not in Settings.model_fields:
            yield f"environment: {name}: unknown section: {_suggestion(section, Settings.model_fields)}"


def _variable_without_json(error: SettingsError) -> str:
    """Return the variable that could not be read, found by its text: the error itself names only the section."""
    if isinstance(error.__cause__, json.JSONDecodeError):
        text = error.__cause__.doc
        names = [name for name, value in sorted(os.environ.items()) if name.startswith(PREFIX) and value == text]
        return " or ".join(names) or str(error)
    return str(error)


def _fault(detail: ErrorDetails, file: Path | None) -> str:
    location = _keys(detail["loc"])
    variable = PREFIX + "__".join(str(part) for part in location).upper()
    if any(name.upper() == variable for name in os.environ):
        where = f"environment: {variable}"
    else:
        where = f"{file}: {key_path(location)}" if file else key_path(location)
    return f"{where}: {_what(detail, location)}".replace(": : ", ": ")


def key_path(location: Iterable[int | str]) -> str:
    """Format a location: ("systems", 0, "name") becomes `systems[0].name`."""
    written = ""
    for part in location:
        written += f"[{part}]" if isinstance(part, int) else f".{part}"
    return written.lstrip(".")


def _keys(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Remove pydantic's entries for the members of a union, such as `is-instance[IPv4Network]`."""
    return tuple(part for part in location if isinstance(part, int) or "[" not in part)


def _what(detail: ErrorDetails, location: tuple[int | str, ...]) -> str:
    kind, value = detail["type"], detail["input"]
    match kind:
        case "extra_forbidden":
            return f"unknown key: {_suggestion(str(location[-1]), _known_keys(location[:-1]))}"
        case "missing":
            return "is required: add it"
        case "literal_error" if isinstance(value, bool):
            words = ", ".join(_allowed(detail))
            return f"is {str(value).lower()} to YAML, as on, off, yes and no are unless quoted: write one of {words}"
        case "literal_error":
            return f'"{value}" is not allowed: {_suggestion(str(value), _allowed(detail))}'
    text = _REMEDIES.get(kind) or detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if (
        not isinstance(value, str | int | float)
        or kind == "value_error"
        or location[-1:] in {(key,) for key in _SECRET_KEYS}
    ):
        return text
    return f'"{value}" {text}'


def _allowed(detail: ErrorDetails) -> list[str]:
    return [word.strip("' ") for word in detail["ctx"]["expected"].replace(" or ", ",").split(",")]


def _suggestion(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"write one of {', '.join(names)}"


def _known_keys(location: tuple[int | str, ...]) -> Mapping[str, Any]:
    """Return the keys that the section at a location may have."""
    kind: Any = Settings
    for part in location:
        kind = _model(kind) if isinstance(part, int) else _model(kind.model_fields[part].annotation)
    return dict(kind.model_fields)


def _model(kind: Any) -> Any:
    """Return the section class inside an annotation such as `list[System]` or `Sentinel | None`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for argument in get_args(kind) if (found := _model(argument))), None)
