"""Measuring: a checkpoint on its config's test data, or anybody's pictures, by named protocols."""
