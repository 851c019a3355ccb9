"""View synthesis: an object in a picture is seen by another camera."""
