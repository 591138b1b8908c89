"""The ``caudal`` command: one module for each group of subcommands, imported when it is used."""
