"""Files, progress, errors and config checks."""
