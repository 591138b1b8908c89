"""Gathers everything that is on record about one run."""

from __future__ import annotations
