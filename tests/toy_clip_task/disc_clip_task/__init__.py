"""The discs of ``disc_task`` as clips: structure and driver are its own, only samples differ."""

from disc_clip_task import dataset

__all__ = ["dataset"]
