"""Embedded sample data: one module per task, found by its file name (`make_samples.py`)."""
