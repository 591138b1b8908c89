"""What can be configured, and where each value comes from.

``Settings`` declares every setting once: its name, default, meaning and what it takes; there is a constant for each,
such as ``CAUDAL_LOGGING_LEVEL``. Later sources win:

1. the default;
2. the profile in use, from ``profiles.toml`` in the home folder: the one that ``CAUDAL_PROFILE`` names, or else ``active`` in that file;
3. ``caudal.toml``, or else the table ``[tool.caudal]`` of ``pyproject.toml``, in the nearest folder that has
   either, from the working directory upward. Keys may be nested: ``results.inline_limit_bytes`` is
   ``results_inline_limit_bytes``;
4. ``.env`` in the working directory;
5. the environment: ``CAUDAL_RESULTS_INLINE_LIMIT_BYTES``. An empty variable counts as not set, and names
   that begin with ``CAUDAL__`` belong to caudal itself;
6. ``temporary_settings`` around a block of code.

A relative path is relative to the file that names it, elsewhere to the working directory.
"""

from __future__ import annotations

from caudal.settings import constants
from caudal.settings.constants import *  # noqa: F403
from caudal.settings.current import (
    get_current_settings,
    load_settings,
    temporary_settings,
)
from caudal.settings.declared import SETTINGS, Settings
from caudal.settings.parsing import IN_MEMORY
from caudal.settings.setting import Setting

__all__ = [
    "IN_MEMORY",
    "SETTINGS",
    "Setting",
    "Settings",
    "get_current_settings",
    "load_settings",
    "temporary_settings",
]
__all__ += constants.__all__
