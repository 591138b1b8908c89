"""Annotations of arguments, under the path that Prefect has for them."""

from caudal.model.annotations import allow_failure, opaque, quote, unmapped
from caudal.task_options import NotSet

__all__ = ["NotSet", "allow_failure", "opaque", "quote", "unmapped"]
