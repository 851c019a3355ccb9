"""Small ONNX files for tests, written without the ``onnx`` package (protocol buffers by hand)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_FLOAT, _INT64 = 1, 7
_INTS = 7  # AttributeProto.AttributeType

Node = tuple[str, Sequence[str], Sequence[str], Mapping[str, Sequence[int]]]
Shape = Sequence["int | str"]


def write_onnx(
    path: Path,
    nodes: Sequence[Node],
    weights: Mapping[str, np.ndarray],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
) -> str:
    """Write a graph.

    Args:
        path: of the file.
        nodes: (operator, inputs, outputs, attributes that are lists of integers), in order.
        weights: constants, float32 or int64.
        inputs: float tensors: name to shape; a string is a free dimension.
        outputs: the same.

    Returns:
        The path as text.
    """
    graph = b"".join(_field(1, _node(*node)) for node in nodes)
    graph += _field(2, b"graph")
    graph += b"".join(_field(5, _tensor(name, value)) for name, value in weights.items())
    graph += b"".join(_field(11, _value(name, shape)) for name, shape in inputs.items())
    graph += b"".join(_field(12, _value(name, shape)) for name, shape in outputs.items())
    opset = _field(1, b"") + _number(2, 13)
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, opset))
    return str(path)


def write_spot_landmarks(path: Path, template: np.ndarray, side: int = 32) -> str:
    """A landmark network that lays ``template`` around the bright spot of its crop.

    Args:
        path: of the file.
        template: ``[68, 2]`` offsets from the spot's middle, in parts of the crop.
        side: of the crop.
    """
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    nodes: list[Node] = [
        ("ReduceMean", ["image"], ["grey"], {"axes": [1]}),
        ("Reshape", ["grey", "flat"], ["pixels"], {}),
        ("MatMul", ["pixels", "grid"], ["moment"], {}),
        ("MatMul", ["pixels", "ones"], ["mass"], {}),
        ("Div", ["moment", "mass"], ["middle"], {}),
        ("MatMul", ["middle", "spread"], ["middles"], {}),
        ("Add", ["middles", "template"], ["points"], {}),
    ]
    weights = {
        "flat": np.array([-1, side * side]),
        "grid": grid,
        "ones": np.ones((side * side, 1), np.float32),
        "spread": np.tile(np.eye(2, dtype=np.float32), (1, len(template))),
        "template": template.astype(np.float32).reshape(1, -1),
    }
    numbers = 2 * len(template)
    return write_onnx(
        path, nodes, weights, {"image": ["n", 3, side, side]}, {"points": ["n", numbers]}
    )


def write_cell_boxes(path: Path, boxes: np.ndarray, height: int = 24, width: int = 32) -> str:
    """A detector whose boxes are fixed, each with its middle's brightness (of -1..1) as score.

    Args:
        path: of the file.
        boxes: ``[N, 4]`` corners in parts of the picture.
        height: of its input.
        width: of its input.
    """
    count = len(boxes)
    look = np.zeros((3 * height * width, count, 2), np.float32)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    for index, (x, y) in enumerate(middles):
        place = int(y * height) * width + int(x * width)
        look[place :: height * width, index, 1] = 1 / 3
    nodes: list[Node] = [
        ("Reshape", ["picture", "flat"], ["pixels"], {}),
        ("MatMul", ["pixels", "look"], ["seen"], {}),
        ("Reshape", ["seen", "rows"], ["scores"], {}),
        ("Identity", ["fixed"], ["boxes"], {}),
    ]
    weights = {
        "flat": np.array([1, 3 * height * width]),
        "look": look.reshape(3 * height * width, -1),
        "rows": np.array([1, count, 2]),
        "fixed": boxes.astype(np.float32)[None],
    }
    outputs = {"scores": [1, count, 2], "boxes": [1, count, 4]}
    return write_onnx(path, nodes, weights, {"picture": [1, 3, height, width]}, outputs)


def _node(
    kind: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Mapping[str, Sequence[int]],
) -> bytes:
    content = b"".join(_field(1, name.encode()) for name in inputs)
    content += b"".join(_field(2, name.encode()) for name in outputs)
    content += _field(4, kind.encode())
    for name, numbers in attributes.items():
        attribute = _field(1, name.encode()) + b"".join(_number(8, number) for number in numbers)
        content += _field(5, attribute + _number(20, _INTS))
    return content


def _tensor(name: str, value: np.ndarray) -> bytes:
    kind = _INT64 if value.dtype == np.int64 else _FLOAT
    content = b"".join(_number(1, size) for size in value.shape) + _number(2, kind)
    return content + _field(8, name.encode()) + _field(9, np.ascontiguousarray(value).tobytes())


def _value(name: str, shape: Shape) -> bytes:
    sizes = b"".join(
        _field(1, _number(1, size) if isinstance(size, int) else _field(2, size.encode()))
        for size in shape
    )
    tensor = _number(1, _FLOAT) + _field(2, sizes)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value, result = struct.unpack("<Q", struct.pack("<q", value))[0], b""
    while value > 0x7F:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])
