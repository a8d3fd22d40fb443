"""Values between two processes: JSON for their structure, raw bytes for their tensors.

A frame is a head (magic, length of the JSON, length of the bytes), the JSON, and the tensors'
bytes one after another. Nothing is pickled or evaluated, every length is limited, and a round trip
gives exactly what went in: a tuple stays a tuple and a 0-d tensor stays one. What comes from a
learner's process is hostile until decoded: whatever the bytes are, decoding them gives plain
values or raises `CodecError`.
"""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from typing import Any, NoReturn

import torch
from torch import Tensor

from mechcourse.boundary import is_own_model

MAX_JSON = 16 * 2**20  # bytes
MAX_ARRAYS = 64 * 2**20  # bytes, all tensors of a frame together
MAX_DEPTH = 32  # lists in lists
MAX_NODES = 200_000  # values in a frame, a tensor counting as one
MAX_DICT = 10_000  # entries: keys chosen to collide make a dict take quadratic time
MAX_INT_BITS = 4096
MAX_DIMS = 32
MAX_SIZE = 2**40  # of an empty tensor's other axes together: PyTorch computes strides from them

_HEAD = struct.Struct(">4sIQ")
_MAGIC = b"mcf1"
_DTYPES = {
    name: getattr(torch, name)
    for name in (
        "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 "
        "float16 bfloat16 float32 float64 complex32 complex64 complex128 "
        "float8_e4m3fn float8_e5m2"
    ).split()
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class CodecError(ValueError):
    """A value that can't cross, or bytes that are no value."""


def encode(value: Any) -> bytes:
    """A value as one frame.

    Raises:
        CodecError: a type that can't cross (only the exact built-in types can, no subclasses), or
            a value that is too large or too deep.
    """
    writer = _Writer()
    try:
        text = json.dumps(writer.tree(value, 0), separators=(",", ":"), allow_nan=False)
    except RecursionError as error:
        raise CodecError("too deep") from error
    json_bytes, arrays = text.encode("ascii"), b"".join(writer.arrays)
    _check_lengths(len(json_bytes), len(arrays))
    return _HEAD.pack(_MAGIC, len(json_bytes), len(arrays)) + json_bytes + arrays


def decode(frame: bytes) -> Any:
    """The value of one whole frame.

    Raises:
        CodecError: the bytes are anything but a frame that `encode` could have made.
    """
    position = 0

    def read(count: int) -> bytes:
        nonlocal position
        position += count
        return frame[position - count : position]

    value = receive(read)
    if position != len(frame):
        raise CodecError("bytes after the frame's end")
    return value


def receive(read: Callable[[int], bytes]) -> Any:
    """The next value of a stream; `read(n)` gives at most n bytes, and none at its end.

    Raises:
        EOFError: the stream ended before a frame began.
        CodecError: the stream ended within a frame, or the frame is none.
    """
    head = _read_exactly(read, _HEAD.size)
    if not head:
        raise EOFError("the stream has ended")
    if len(head) < _HEAD.size:
        raise CodecError("a cut-off frame")
    magic, json_length, array_length = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise CodecError("not a frame")
    _check_lengths(json_length, array_length)
    text, arrays = _read_exactly(read, json_length), _read_exactly(read, array_length)
    if len(text) < json_length or len(arrays) < array_length:
        raise CodecError("a cut-off frame")
    try:
        return _Reader(arrays).whole(_parse(text))
    except CodecError:
        raise
    except Exception as error:  # bytes can be wrong in more ways than can be listed
        raise CodecError(f"not a value: {type(error).__name__}") from error


class _Writer:
    def __init__(self) -> None:
        self.arrays: list[bytes] = []
        self.nodes = 0

    def tree(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise CodecError("too deep" if depth > MAX_DEPTH else "too many values")
        kind = type(value)
        if kind is bool or kind is str:
            return value
        if kind is int:
            if value.bit_length() > MAX_INT_BITS:
                raise CodecError("an integer that is too large")
            return ["i", hex(value)]
        if kind is float:
            return ["f", value.hex()]
        if kind is complex:
            return ["c", value.real.hex(), value.imag.hex()]
        if kind is list or kind is tuple:
            return [kind.__name__[0], [self.tree(item, depth + 1) for item in value]]
        if kind is dict:
            return ["d", self.pairs(value, depth)]
        if kind is Tensor:
            return self.tensor(value)
        if is_own_model(value):
            config = asdict(value.config)
            parts = (config, {name: w.detach() for name, w in value.state_dict().items()})
            return ["m", kind.__name__, *(self.pairs(part, depth) for part in parts)]
        raise CodecError(f"an object of type {kind.__name__}")

    def pairs(self, entries: dict[Any, Any], depth: int) -> list[Any]:
        if len(entries) > MAX_DICT:
            raise CodecError("a dict with too many entries")
        for key in entries:
            _check_key(key)
        return [[self.tree(k, depth + 1), self.tree(v, depth + 1)] for k, v in entries.items()]

    def tensor(self, value: Tensor) -> list[Any]:
        if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in _NAMES:
            raise CodecError(f"a tensor that is {value.layout}, {value.dtype}, on {value.device}")
        if value.ndim > MAX_DIMS:
            raise CodecError("a tensor with too many axes")
        if value.nbytes > MAX_ARRAYS:  # before its bytes are copied: it may be a vast expanded view
            raise CodecError("a tensor that is too large")
        dense = value.detach().resolve_conj().resolve_neg().contiguous()
        # A single number counts as contiguous whatever its stride, but bytes need a stride of 1.
        dense = dense.as_strided((dense.numel(),), (1,))
        self.arrays.append(dense.view(torch.uint8).numpy().tobytes())
        return ["a", _NAMES[value.dtype], list(value.shape)]


class _Reader:
    def __init__(self, arrays: bytes) -> None:
        self.arrays, self.position, self.nodes = arrays, 0, 0

    def whole(self, tree: Any) -> Any:
        value = self.value(tree, 0)
        if self.position != len(self.arrays):
            raise CodecError("bytes that belong to no tensor")
        return value

    def value(self, tree: Any, depth: int) -> Any:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise CodecError("too deep or too many values")
        match tree:
            case bool() | str():
                return tree
            case ["i", str(digits)] if len(digits) <= MAX_INT_BITS // 4 + 3:
                return int(digits, 16)
            case ["f", str(digits)]:
                return float.fromhex(digits)
            case ["c", str(real), str(imag)]:
                return complex(float.fromhex(real), float.fromhex(imag))
            case ["l" | "t" as kind, list(items)]:
                values = (self.value(item, depth + 1) for item in items)
                return list(values) if kind == "l" else tuple(values)
            case ["d", list(pairs)]:
                return self.mapping(pairs, depth)
            case ["a", str(dtype), list(shape)]:
                return self.tensor(_DTYPES[dtype], shape)
            case ["m", str(name), list(config), list(weights)]:
                return _model(name, self.mapping(config, depth), self.mapping(weights, depth))
        raise CodecError("a value of no known kind")

    def mapping(self, pairs: list[Any], depth: int) -> dict[Any, Any]:
        if len(pairs) > MAX_DICT:
            raise CodecError("a dict with too many entries")
        entries = {}
        for key, item in pairs:
            key = self.value(key, depth + 1)
            _check_key(key)
            entries[key] = self.value(item, depth + 1)
        if len(entries) != len(pairs):
            raise CodecError("a dict with a key twice")
        return entries

    def tensor(self, dtype: torch.dtype, shape: list[Any]) -> Tensor:
        sizes = all(type(size) is int and size >= 0 for size in shape) and len(shape) <= MAX_DIMS
        if not sizes or math.prod(size or 1 for size in shape) > MAX_SIZE:
            raise CodecError("no shape")
        length = math.prod(shape) * dtype.itemsize
        if length > len(self.arrays) - self.position:
            raise CodecError("a tensor without its bytes")
        # A copy of its own, so that it is aligned and can be written into.
        raw = bytearray(self.arrays[self.position : self.position + length])
        self.position += length
        flat = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0).byte()
        if dtype is torch.bool and bool((flat > 1).any()):
            raise CodecError("a truth value that is neither 0 nor 1")
        return flat.view(dtype).reshape(shape)


def _model(name: str, config: dict[str, Any], weights: dict[str, Any]) -> Any:
    """One of our own models, rebuilt: a config that says more than its weights costs no memory."""
    return import_module("mechcourse.architectures").rebuilt(name, config, weights)


def _check_key(key: Any) -> None:
    if type(key) is tuple:
        for part in key:
            _check_key(part)
    elif type(key) not in (bool, int, float, complex, str):
        raise CodecError(f"a dict's key of type {type(key).__name__}")


def _check_lengths(json_length: int, array_length: int) -> None:
    if json_length > MAX_JSON or array_length > MAX_ARRAYS:
        raise CodecError("a message that is too large")


def _parse(text: bytes) -> Any:
    return json.loads(
        text.decode("ascii"),
        parse_float=_refuse,
        parse_constant=_refuse,
        object_pairs_hook=_refuse,
    )


def _refuse(_: Any) -> NoReturn:
    raise CodecError("JSON that is not used here")


def _read_exactly(read: Callable[[int], bytes], count: int) -> bytes:
    parts = []
    while count > 0 and (part := read(min(count, 2**20))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
