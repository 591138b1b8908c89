"""Inputs that flow runs get while they run: what a paused run is resumed with, and what runs send each other."""

from caudal.input.models import (
    AutomaticRunInput,
    BaseRunInput,
    RunInput,
    RunInputMetadata,
    asend_input,
    receive_input,
    run_input_subclass_from_type,
    send_input,
)
from caudal.input.receiving import GetInputHandler

__all__ = [
    "AutomaticRunInput",
    "BaseRunInput",
    "GetInputHandler",
    "RunInput",
    "RunInputMetadata",
    "asend_input",
    "receive_input",
    "run_input_subclass_from_type",
    "send_input",
]
