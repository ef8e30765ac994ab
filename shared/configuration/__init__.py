"""The configuration file `causeway.yaml`: one section a file, read as a whole by `load`."""

from shared.configuration.file import find, load

__all__ = ["find", "load"]
