"""An evaluation as static HTML."""
