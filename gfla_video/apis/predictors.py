"""What an evaluation compares: a network, and predictions that know nothing of moving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from gfla_video.utils.errors import UserError
from gfla_video.utils.progress import progress
from gfla_video.utils.workers import plain_worker_errors

Batch = dict[str, Any]
Prediction = dict[str, Any]
Predictor = Callable[[Batch], list[Prediction]]


def network_predictor(network: Callable[..., Any], device: str | torch.device = "cpu") -> Predictor:
    """A generator, or a flow estimator alone (which gives no image), as a predictor.

    Args:
        network: called as ``network(sources, source_structures, target_structure)``, such as a
            :class:`gfla_video.apis.inference.PreparedGenerator`.
        device: where it is; predictions come back on the CPU.
    """

    @torch.no_grad()  # a prepared network chooses itself between this and inference mode
    def predict(batch: Batch) -> list[Prediction]:
        inputs = _moved(batch["inputs"], device)
        output = network(inputs["sources"], inputs["source_structures"], inputs["target_structure"])
        fields = {key: _moved(value, "cpu") for key, value in output._asdict().items()}
        return [_sample(fields, index) for index in range(len(inputs["target_structure"]))]

    return predict


def copy_source(batch: Batch) -> list[Prediction]:
    """The (first) source as it is."""
    return [{"image": image} for image in batch["inputs"]["sources"][0]]


def zero_flow(batch: Batch) -> list[Prediction]:
    """No displacement: a flow of zero at full resolution, and no image."""
    return [
        {"flows": [[image.new_zeros(2, *image.shape[-2:])]]} for image in batch["targets"]["image"]
    ]


def mean_of_targets(dataset: Dataset[Any], limit: int = 1000, workers: int = 0) -> Predictor:
    """The pixel-wise mean of a data set's targets, whatever is asked.

    Args:
        dataset: training samples.
        limit: at most so many targets, evenly spaced over the data set; one is in memory at a time.
        workers: processes that load.

    Raises:
        UserError: the data set is empty.
    """
    size = len(dataset)  # type: ignore[arg-type]
    if not size:
        raise UserError("mean_of_targets: the training data are empty")
    count = min(size, limit)
    chosen = Subset(dataset, [index * size // count for index in range(count)])
    loader = DataLoader(chosen, batch_size=1, num_workers=workers, collate_fn=default_collate)
    total: Tensor | None = None
    with plain_worker_errors():
        for batch in progress(loader, "mean of training targets"):
            image = batch["targets"]["image"][0].double()
            total = image if total is None else total + image
    assert total is not None  # count is at least 1
    mean = (total / count).float()

    def predict(batch: Batch) -> list[Prediction]:
        return [{"image": mean} for _ in batch["targets"]["image"]]

    return predict


def _moved(value: Any, device: str | torch.device) -> Any:
    """Tensors inside lists and dicts on another device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: _moved(item, device) for key, item in value.items()}
    return [_moved(item, device) for item in value]


def _sample(value: Any, index: int) -> Any:
    """One sample of batched tensors inside lists and dicts."""
    if isinstance(value, Tensor):
        return value[index]
    if isinstance(value, dict):
        return {key: _sample(item, index) for key, item in value.items()}
    return [_sample(item, index) for item in value]
