"""For tests and task authors: the paper's literal formulation, benchmarks, made faces."""
