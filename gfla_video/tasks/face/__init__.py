"""Talking heads: a face moved by the edges that its landmarks draw."""
