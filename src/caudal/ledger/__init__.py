"""The durable record of runs: the port, and its implementations in memory and on SQLite."""
