"""Textured triangle meshes: reading them, cameras around them, pictures, exact correspondences."""
