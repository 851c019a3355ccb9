"""A task outside the package: a coloured disc goes where a file of centres says."""

from disc_task import dataset, driver, structure

__all__ = ["dataset", "driver", "structure"]
