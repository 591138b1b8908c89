"""Suites that every implementation of a port must pass, and the makers of sample values they use."""
