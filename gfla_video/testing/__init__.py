"""For tests and task authors: the literal reference of the paper's formulation, benchmarks, made faces."""
