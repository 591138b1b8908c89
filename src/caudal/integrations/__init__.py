"""Outside systems, one folder each; each needs an extra of the same name."""
