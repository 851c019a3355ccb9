"""Synthetic talking heads: a textured mesh with jaw, lips, lids, brows, and an exact ray caster."""
