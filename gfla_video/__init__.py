"""gfla_video: move the appearance of a picture to a new structure, frame after frame."""

__version__ = "0.1.0"
