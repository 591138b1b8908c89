"""How a run lives: one program per kind of run, carried out by a sync and an async interpreter."""
