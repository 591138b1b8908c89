"""Pure values: states, runs, events, specs and policies. No input or output, no clock."""
