"""Small things that user code imports from here in Prefect."""
