"""Round trips are exact, and no bytes do anything but raise CodecError."""

import contextlib
import json
import math
import random
import struct

import pytest
import torch

from mechcourse.boundary import plain
from mechcourse.full_models import FullTransformer, FullTransformerConfig
from mechcourse.grading import codec
from mechcourse.grading.codec import CodecError, decode, encode
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.smeared import SmearedTransformer

DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint16, torch.uint32, torch.uint64, torch.float16, torch.bfloat16),
    *(torch.float32, torch.float64, torch.complex32, torch.complex64, torch.complex128),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
]
SHAPES = [(), (1,), (0,), (3,), (2, 3), (2, 0, 3), (1, 2, 1, 3)]


def same(a: object, b: object) -> bool:
    """Equal in type and value, all the way down; NaN equals NaN and 0.0 is not -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        bits = [t.contiguous().reshape(-1).view(torch.uint8).tolist() for t in (a, b)]
        return a.dtype == b.dtype and a.shape == b.shape and bits[0] == bits[1]
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    return repr(a) == repr(b)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_dtype_and_shape_survives(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    bits = torch.randint(0, 2, (math.prod(shape) * dtype.itemsize,), dtype=torch.uint8)
    tensor = bits.view(dtype).reshape(shape)
    assert same(decode(encode(tensor)), tensor)


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, 0, -1, 10**1000, -(2**4095), 0.0, -0.0, 1e-320, math.inf, -math.inf),
        *(math.nan, 0.1, 1 + 2j, complex(math.nan, -0.0), "", "ü\n\0\ud800", [], (), {}),
        *([(), [()]], ([1], (2.0,)), {1: "a", "1": "b", (1, 2.5): {True: ()}, 1j: [], 2.5: 0}),
        {"x": torch.tensor([math.nan, math.inf, -0.0]), "y": (torch.tensor(3), [torch.ones(2)])},
    ],
    ids=lambda value: repr(value)[:30],
)
def test_plain_values_survive(value: object) -> None:
    assert same(decode(encode(value)), value)


def test_views_cross_by_value() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    lazy = torch.tensor([1 + 2j, 3j]).conj()
    for view in (base.T, base[::2, 1:], base[0, 0], base[:, :1].expand(3, 4), lazy, lazy.imag):
        back = decode(encode(view))
        assert torch.equal(back, view) and back.is_contiguous()
    decode(encode(base)).add_(1)  # what arrives can be written into


def test_gradients_stay_behind() -> None:
    weight = torch.ones(2, requires_grad=True)
    assert not decode(encode(weight * 2)).requires_grad


SIZES = TransformerConfig(2, 16, 2, 8, 11, 7)
ROTARY = FullTransformerConfig(
    *(2, 16, 2, 8, 11, 7), d_mlp=9, positions="rotary", rotary_dim=4, parallel=True, eps=1e-3
)
OWN = [
    (Transformer, SIZES),
    (SmearedTransformer, SIZES),
    (FullTransformer, FullTransformerConfig(2, 16, 2, 8, 11, 7, d_mlp=9)),
    (FullTransformer, ROTARY),
]


@pytest.mark.parametrize(("architecture", "config"), OWN)
def test_a_model_is_rebuilt(architecture: type, config: TransformerConfig) -> None:
    model = architecture(config).double()
    state = torch.random.get_rng_state()
    tokens = torch.arange(10).reshape(2, 5)
    for back in (decode(encode([model]))[0], plain(model)):
        assert type(back) is architecture and back.config == config
        assert torch.equal(back(tokens), model(tokens))
        assert all(p.device.type == "cpu" and p.requires_grad for p in back.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


class Derived(FullTransformer):
    pass


Derived.__name__ = "FullTransformer"


def test_a_model_of_a_subclass_is_not_ours() -> None:
    with pytest.raises(CodecError):
        encode(Derived(ROTARY))


class Lookalike(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "value",
    [
        *(None, object(), b"x", {1, 2}, range(3), [None], torch.float32, Transformer),
        *(torch.nn.Parameter(torch.ones(2)), torch.ones(2).as_subclass(Lookalike)),
        *(torch.eye(2).to_sparse(), torch.ones(2, device="meta"), {torch.ones(1): 1}),
        *(type("S", (str,), {})("x"), type("I", (int,), {})(1), type("L", (list,), {})()),
        *(torch.ones(1).expand(2**40), 2**5000, dict.fromkeys(range(20_000), 0)),
        *([0] * 300_000, "x" * (codec.MAX_JSON + 1), torch.zeros(2**26)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_may_not_cross(value: object) -> None:
    with pytest.raises(CodecError):
        encode(value)


def test_nesting_is_limited_both_ways() -> None:
    deep: list = []
    for _ in range(codec.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(CodecError):
        encode(deep)
    own = []
    own.append(own)
    with pytest.raises(CodecError):
        encode(own)
    for brackets in (40, 100_000):
        with pytest.raises(CodecError):
            decode(frame('["l",[' * brackets + "]]" * brackets))


def frame(tree: str | bytes, arrays: bytes = b"", head: tuple[int, int] | None = None) -> bytes:
    text = tree.encode() if isinstance(tree, str) else tree
    lengths = head or (len(text), len(arrays))
    return struct.pack(">4sIQ", b"mcf1", *lengths) + text + arrays


def model_tree(model: Transformer | None = None, **changes: object) -> str:
    model = model or Transformer(TransformerConfig(0, 2, 1, 2, 3, 4))
    tree = json.loads(encode(model)[16 : 16 + struct.unpack(">I", encode(model)[4:8])[0]])
    for pair in tree[2]:
        if pair[0] in changes:
            pair[1] = changes[pair[0]]
    return json.dumps(tree)


MODEL_BYTES = b"\0" * 4 * (3 * 2 + 4 * 2 + 2 * 3)
FULL = FullTransformer(FullTransformerConfig(1, 2, 1, 2, 3, 4, d_mlp=5))
FULL_BYTES = b"".join(w.detach().numpy().tobytes() for w in FULL.state_dict().values())


@pytest.mark.parametrize(
    "hostile",
    [
        *(b"x", b"\0" * 16, b"mcf1", frame("1"), frame("null"), frame("{}"), frame("NaN")),
        *(frame("1.5"), frame(b"\xff"), frame('["i","zz"]'), frame('["i","0x' + "f" * 9999 + '"]')),
        *(frame('["f","nope"]'), frame('["f","0x1p99999"]'), frame('["f",1]'), frame('["z",[]]')),
        *(frame('["l",5]'), frame('["l"]'), frame('["d",[[1]]]'), frame('["d",[["a","b","c"]]]')),
        *(frame('["d",[["a","b"],["a","c"]]]'), frame('["d",[[["l",[]],"x"]]]')),
        *(frame('["d",[[["a","float32",[]],"x"]]]', b"1234"), frame("[")),
        *(frame('["a","float32",[2]]', b"1234"), frame('["a","float32",[1]]', b"12345678")),
        *(frame('["a","float32",[-1]]', b"1234"), frame('["a","object",[1]]', b"12345678")),
        *(frame('["a","float32",[true]]', b"1234"), frame('["a","bool",[1]]', b"\x07")),
        *(frame('["a","float32",["1"]]', b"1234"), frame(f'["a","float32",{[0] * 99}]')),
        *(frame(f'["a","float32",[0,{2**63}]]'), frame(f'["a","float32",{[2**39] * 9}]')),
        *(frame(f'["a","float32",[0{f",{2**40}" * 9}]]'), frame('["a","float32",[0.5]]')),
        *(frame("", head=(2**32 - 1, 0)), frame("", head=(0, 2**64 - 1)), frame("", b"xx")),
        *(frame('["m","Module",[],[]]'), frame('["m","Transformer",[],[]]')),
        frame(model_tree(n_layers=["i", "0x7fffffff"]), MODEL_BYTES),
        frame(model_tree(n_layers=["i", "0x1"]), MODEL_BYTES),
        frame(model_tree(d_vocab=["i", "0xffffff"], n_ctx=["i", "0xffffff"]), MODEL_BYTES),
        frame(model_tree(d_model="2"), MODEL_BYTES),
        frame(model_tree(FULL, d_mlp=["i", "0xffffffff"]), FULL_BYTES),
        frame(model_tree(FULL, n_ctx=["i", "0xffffffff"]), FULL_BYTES),
        frame(model_tree(FULL, n_layers=["i", "0x7"]), FULL_BYTES),
        frame(model_tree(FULL, activation="swish"), FULL_BYTES),
        frame(model_tree(FULL, activation=["l", []]), FULL_BYTES),
        frame(model_tree(FULL, eps="small"), FULL_BYTES),
        frame(model_tree(FULL, positions="rotary"), FULL_BYTES),
        frame(model_tree(FULL, d_head=["i", "0x3"]), FULL_BYTES),
        frame(model_tree(d_model=True), MODEL_BYTES),
        frame(model_tree(d_model=["a", "float32", []]), b"1234" + MODEL_BYTES),
        frame('"a"') + b"more",
        frame("[" * 10_000_000),
        frame("9" * 5000),
    ],
    ids=lambda hostile: repr(hostile)[:40],
)
def test_hostile_bytes_only_raise(hostile: bytes) -> None:
    with pytest.raises(CodecError):
        decode(hostile)


def test_the_full_frame_is_a_model_where_nothing_is_changed() -> None:
    assert decode(frame(model_tree(FULL), FULL_BYTES)).config == FULL.config


def test_flipped_bits_give_a_value_or_an_error() -> None:
    good = encode({"x": torch.ones(2, 3), (1, 2): [1.5, "y", 2j], "z": (True, 10**30)})
    rng = random.Random(0)
    for _ in range(1500):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        with contextlib.suppress(CodecError, EOFError):
            decode(bytes(bad[: rng.randint(1, len(bad))] if rng.random() < 0.3 else bad))


def test_an_ended_stream_is_told_from_a_cut_one() -> None:
    with pytest.raises(EOFError):
        codec.receive(lambda _: b"")


def test_a_single_number_with_an_odd_stride_crosses() -> None:
    """As the real part of one eigenvalue has: a view of every second number."""
    real = torch.tensor([3 + 4j, 5 + 6j])[:1].real
    assert real.stride() == (2,)
    assert torch.equal(decode(encode(real)), torch.tensor([3.0]))
