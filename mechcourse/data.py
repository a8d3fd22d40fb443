"""Deterministic text and toy data: Python's own standard library as a corpus, and repeated tokens.

The corpus needs no download: it is the source of `TRAIN_MODULES` and `HELD_OUT_MODULES`, as the
running Python has them. Their text differs a little from one Python version to the next, so a
retrained model lands in the range that the zoo states, not on the same bits. The tokenizer's
vocabulary ships with the package; the text does not.
"""

from functools import lru_cache
from pathlib import Path
from sysconfig import get_paths
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

ASSETS = Path(__file__).parent / "assets"

# Modules that every supported Python (3.11 to 3.14) has under the same name: no table of
# constants, and none that a Linux distribution packages apart (tkinter, idlelib, ensurepip).
TRAIN_MODULES = tuple(
    """
    _collections_abc _markupbase _pydecimal _pyio _strptime abc argparse ast
    asyncio.base_events asyncio.base_subprocess asyncio.events asyncio.futures asyncio.locks
    asyncio.proactor_events asyncio.queues asyncio.runners asyncio.selector_events
    asyncio.sslproto asyncio.subprocess asyncio.taskgroups asyncio.tasks asyncio.transports
    asyncio.unix_events asyncio.windows_events base64 bdb bz2 calendar cmd code codecs
    collections compileall concurrent.futures._base concurrent.futures.process
    concurrent.futures.thread contextlib copy csv dataclasses difflib dis doctest
    email._header_value_parser email._parseaddr email._policybase email.charset
    email.contentmanager email.feedparser email.generator email.header email.headerregistry
    email.policy email.utils enum filecmp fileinput ftplib functools getopt gettext glob
    graphlib gzip hashlib hmac html.parser http.client http.cookiejar http.server imaplib
    importlib._bootstrap importlib._bootstrap_external importlib.abc importlib.util inspect
    ipaddress json.scanner linecache logging logging.handlers lzma mailbox mimetypes
    modulefinder multiprocessing.connection multiprocessing.context multiprocessing.heap
    multiprocessing.managers multiprocessing.pool multiprocessing.process
    multiprocessing.queues multiprocessing.shared_memory multiprocessing.synchronize
    multiprocessing.util netrc ntpath numbers operator optparse os pdb pickle pickletools
    pkgutil platform plistlib poplib posixpath pprint profile pstats py_compile pyclbr pydoc
    quopri random re._compiler re._parser reprlib runpy sched selectors shelve shutil smtplib
    socket socketserver ssl statistics string stringprep subprocess symtable tabnanny tarfile
    tempfile threading timeit tomllib._parser trace traceback tracemalloc types typing
    unittest.case unittest.main unittest.mock unittest.result unittest.runner unittest.suite
    urllib.parse urllib.request urllib.robotparser uuid warnings wave weakref webbrowser
    wsgiref.handlers wsgiref.validate xml.dom.expatbuilder xml.dom.minidom xml.dom.pulldom
    xml.etree.ElementPath xml.etree.ElementTree xml.sax.expatreader xml.sax.handler
    xml.sax.saxutils xml.sax.xmlreader xmlrpc.client xmlrpc.server zipapp zipimport
    zoneinfo._zoneinfo
    """.split()
)
HELD_OUT_MODULES = tuple(
    """
    asyncio.streams configparser email.message fractions heapq http.cookies json.decoder
    json.encoder logging.config queue shlex textwrap tokenize unittest.loader
    """.split()
)

Split = Literal["train", "held_out"]


def module_source(name: str) -> str:
    """The source text of a standard-library module, "json.decoder", without importing it.

    Raises:
        FileNotFoundError: this Python has no such source file; the message says where it looked.
    """
    base = Path(get_paths()["stdlib"]).joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(
        f"no source of the standard-library module {name!r} at {base}(.py): the course reads the "
        "library's source as training text; use a Python that ships it (python.org, conda, pyenv, "
        "or a Linux distribution's full python3 package)"
    )


def code_texts(split: Split) -> list[str]:
    """The source of every module of a split, in the order of its list."""
    if split not in ("train", "held_out"):
        raise ValueError(f'split must be "train" or "held_out", got {split!r}')
    names = TRAIN_MODULES if split == "train" else HELD_OUT_MODULES
    return [module_source(name) for name in names]


@lru_cache
def code_tokenizer() -> Tokenizer:
    """The byte-level BPE tokenizer of the code models: 512 tokens, no special ones."""
    return Tokenizer.from_file(str(ASSETS / "code_bpe.json"))


def train_code_tokenizer(texts: list[str], d_vocab: int = 512) -> Tokenizer:
    """Train a byte-level BPE tokenizer, as the shipped one was on the training texts.

    Raises:
        ValueError: `d_vocab` leaves no room for the 256 bytes.
    """
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if d_vocab < len(alphabet):
        raise ValueError(f"d_vocab must be at least {len(alphabet)}, the bytes, got {d_vocab}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=d_vocab, initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@lru_cache
def code_tokens(split: Split) -> Int[Tensor, "pos"]:
    """All tokens of a split, one module after the other: some 2.7 million, or 160,000 held out."""
    encoded = code_tokenizer().encode_batch(code_texts(split))
    return torch.tensor([token for text in encoded for token in text.ids])


def token_strings(text: str) -> list[str]:
    """The pieces of a text that its tokens stand for; they join to the text.

    A character of several bytes may be split over tokens: the first of them shows it whole, the
    others are empty.
    """
    pieces, end = [], 0
    for start, stop in code_tokenizer().encode(text).offsets:
        pieces.append(text[max(start, end) : stop])
        end = max(end, stop)
    return pieces


def vocabulary() -> list[str]:
    """What each token of the code tokenizer reads as, by id; half a character reads as "\ufffd"."""
    tokenizer = code_tokenizer()
    return [tokenizer.decode([token]) for token in range(tokenizer.get_vocab_size())]


def random_windows(
    tokens: Int[Tensor, "pos"], n_windows: int, length: int, generator: torch.Generator
) -> Int[Tensor, "window length"]:
    """Stretches of a text from random places, drawn from a generator that moves on."""
    if len(tokens) < length:
        raise ValueError(f"the text has {len(tokens)} tokens, fewer than a window's {length}")
    starts = torch.randint(0, len(tokens) - length + 1, (n_windows,), generator=generator)
    return tokens[starts[:, None] + torch.arange(length)]


def consecutive_windows(tokens: Int[Tensor, "pos"], length: int) -> Int[Tensor, "window length"]:
    """A text cut into stretches, the incomplete last one dropped."""
    return tokens[: len(tokens) // length * length].view(-1, length)


def bigram_counts(tokens: Int[Tensor, "pos"], d_vocab: int) -> Float[Tensor, "d_vocab d_vocab"]:
    """How often each token (column) follows each token (row) in a text."""
    pairs = tokens[:-1] * d_vocab + tokens[1:]
    return torch.bincount(pairs, minlength=d_vocab**2).view(d_vocab, d_vocab).double()


def repeated_tokens(
    n_sequences: int, period: int, n_repeats: int, d_vocab: int, *, seed: int
) -> Int[Tensor, "sequence pos"]:
    """Random tokens, distinct within a period, then the same again: only induction predicts them.

    Raises:
        ValueError: the vocabulary has fewer tokens than a period.
    """
    if period > d_vocab:
        raise ValueError(f"{period} distinct tokens can't be drawn from a vocabulary of {d_vocab}")
    generator = torch.Generator().manual_seed(seed)
    once = [torch.randperm(d_vocab, generator=generator)[:period] for _ in range(n_sequences)]
    return torch.stack(once).repeat(1, n_repeats)


def repeated_sequences(
    n_sequences: int,
    n_pos: int,
    d_vocab: int,
    *,
    periods: tuple[int, int],
    offsets: tuple[int, int],
    seed: int,
) -> tuple[Int[Tensor, "sequence pos"], Bool[Tensor, "sequence pos"]]:
    """Sequences that repeat, each with a period and an offset of its own.

    Before the first block stand as many tokens as the offset says; they and the block's are all
    different. No head can then find the copy by counting positions.

    Args:
        periods, offsets: smallest and largest, both included.

    Returns:
        Tokens, and which of them are determined by those before: all but the first of the second
        copy and what comes before it.

    Raises:
        ValueError: the vocabulary holds fewer tokens than the longest offset and period together.
    """
    if (needed := periods[1] + offsets[1]) > d_vocab:
        raise ValueError(f"{needed} distinct tokens can't be drawn from a vocabulary of {d_vocab}")
    generator = torch.Generator().manual_seed(seed)
    tokens, predictable = [], []
    for _ in range(n_sequences):
        period, offset = (
            int(torch.randint(low, high + 1, (), generator=generator))
            for low, high in (periods, offsets)
        )
        drawn = torch.randperm(d_vocab, generator=generator)[: offset + period]
        copies = drawn[offset:].repeat(n_pos // period + 1)
        tokens.append(torch.cat([drawn[:offset], copies])[:n_pos])
        predictable.append(torch.arange(n_pos) > offset + period)
    return torch.stack(tokens), torch.stack(predictable)
