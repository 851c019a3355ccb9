"""Procedural textured objects for the sample data: cars and chairs, as meshes."""
