"""Processes that execute runs for others."""
