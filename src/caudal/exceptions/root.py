"""The root of the errors."""

from __future__ import annotations


class CaudalError(Exception):
    """The root of every error that caudal raises."""


class ConfigurationError(CaudalError):
    """A setting, folder or file of the configuration cannot be used."""
