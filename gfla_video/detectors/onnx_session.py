"""Opening ONNX files with onnxruntime, with errors that say what to do."""

from __future__ import annotations

import importlib
import re
from typing import Any

from gfla_video.utils.errors import UserError

_QUIET = 3  # of onnxruntime's log levels: errors only
_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_CPU = "CPUExecutionProvider"


def open_session(path: str, device: str = "cpu", install: str = "pip install onnxruntime") -> Any:
    """Load a model file, on one thread (face networks take a millisecond or two).

    Args:
        path: the ONNX file; that it is there has been checked.
        device: ``cpu``, or the name of another of onnxruntime's execution providers in short
            (what stands before ``ExecutionProvider``, any case) with an optional ``:N``.
        install: what to say where onnxruntime is missing.

    Raises:
        UserError: onnxruntime, the device or the file cannot be used.
    """
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise UserError(
            f"{path}: onnxruntime cannot be imported ({error}); install it with `{install}`"
        ) from error
    options = runtime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = _providers(runtime, device)
    try:
        return runtime.InferenceSession(path, options, providers=providers)
    except (RuntimeError, ValueError, OSError, *onnx_errors()) as error:
        if type(error).__name__ == "InvalidProtobuf":
            raise UserError(
                f"{path}: cannot be loaded, it is no ONNX model; pass an .onnx file"
            ) from error
        raise UserError(
            f"{path}: the ONNX model cannot be loaded ({_first_line(error)}); check the file"
        ) from error


def onnx_errors() -> list[type[Exception]]:
    """onnxruntime's exceptions, which share no base but ``Exception``; none where it is absent."""
    try:
        state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    except ImportError:
        return []
    kinds = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, Exception)]


def _providers(runtime: Any, device: str) -> list[Any]:
    kind, _, number = device.lower().partition(":")
    known = {name.removesuffix("ExecutionProvider").lower(): name for name in _names(runtime)}
    if kind not in known:
        raise UserError(
            f"onnxruntime cannot run on {device!r} here, there are {', '.join(sorted(known))}; "
            "pass one of them as the detector's device, or install another build of onnxruntime"
        )
    if known[kind] == _CPU:
        return [_CPU]
    chosen = (known[kind], {"device_id": number}) if number else known[kind]
    return [chosen, _CPU]


def _names(runtime: Any) -> list[str]:
    return list(runtime.get_available_providers())


def _first_line(error: Exception) -> str:
    text = _CODE.sub("", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
