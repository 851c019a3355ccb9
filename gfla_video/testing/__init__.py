"""What tests and task authors share: the literal reference of the paper's formulation."""
