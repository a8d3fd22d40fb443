"""GPT-2 and GPT-NeoX (Pythia) checkpoints, in Hugging Face form, as our own `FullTransformer`.

What needs `transformers` imports it when called: the rest of the course runs without. Weights are
read from safetensors files alone, which hold numbers and nothing that could run.
"""

import os
import socket
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from jaxtyping import Int
from torch import Tensor

from mechcourse.architectures import rebuilt
from mechcourse.full_models import FullTransformer
from mechcourse.hugging_face import our_config, our_weights
from mechcourse.models import Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

INSTALL = "python -m mechcourse install lab real-models"


class RealModelProblem(Exception):
    """A checkpoint that can't be had or isn't one we read; the message says what to do about it."""


def load_hugging_face(name: str | Path) -> FullTransformer:
    """A GPT-2 or GPT-NeoX checkpoint as a model of ours, in float32.

    Args:
        name: a model on the Hugging Face Hub ("openai-community/gpt2", "EleutherAI/pythia-70m"),
            fetched once and kept in Hugging Face's cache, or a folder with `config.json` and
            safetensors weights.

    Raises:
        RealModelProblem: `transformers` is not installed, the checkpoint can't be reached, has no
            safetensors weights, or is of another architecture.
    """
    transformers = _transformers()
    how = {"trust_remote_code": False, "local_files_only": not _hub_answers(name)}
    with _explained(name):
        config = transformers.AutoConfig.from_pretrained(name, **how)
    try:
        ours = our_config(config)
    except ValueError as error:  # OtherArchitecture among them
        raise RealModelProblem(f"{name} {error}") from error
    with _explained(name):
        theirs, loading = transformers.AutoModelForCausalLM.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **how
        )
    if loading["missing_keys"]:  # transformers fills them with random numbers, and only warns
        lacking = ", ".join(sorted(loading["missing_keys"])[:5])
        raise RealModelProblem(f"{name} lacks weights that its config asks for: {lacking}.")
    weights = our_weights(config.model_type, theirs.state_dict(), ours)
    return rebuilt("FullTransformer", vars(ours), weights)


def load_tokenizer(name: str | Path) -> "PreTrainedTokenizerBase":
    """The tokenizer that belongs to a checkpoint: `encode` a text, `decode` token ids.

    Raises:
        RealModelProblem: as for `load_hugging_face`.
    """
    transformers = _transformers()
    how = {"trust_remote_code": False, "local_files_only": not _hub_answers(name)}
    with _explained(name):
        return transformers.AutoTokenizer.from_pretrained(name, **how)


def narrowed(model: Transformer, tokens: Int[Tensor, "chosen"], n_ctx: int) -> Transformer:
    """A model that knows chosen tokens only, and shorter texts: quick where random tokens do.

    Token i of the new model is `tokens[i]` of the old one. On those tokens its patterns, and all
    activations up to the logits, are the old model's; so are its logits for them.

    Args:
        tokens: different ids of the old vocabulary.

    Raises:
        ValueError: an id that is out of range or comes twice, none at all, or more context than
            there is.
    """
    old = model.config
    if not 1 <= n_ctx <= old.n_ctx:
        raise ValueError(f"n_ctx must be from 1 to {old.n_ctx}, got {n_ctx}")
    if len(tokens) == 0 or len(tokens.unique()) < len(tokens):
        raise ValueError("tokens must be one or more ids, all different")
    if tokens.min() < 0 or tokens.max() >= old.d_vocab:
        raise ValueError(f"tokens must be ids from 0 to {old.d_vocab - 1}")
    weights = {name: weight.detach() for name, weight in model.state_dict().items()}
    for name, kept in (
        ("embed.W_E", (tokens,)),
        ("unembed.W_U", (..., tokens)),
        ("unembed.b_U", (tokens,)),
        ("pos_embed.W_pos", (slice(n_ctx),)),
    ):
        if name in weights:
            weights[name] = weights[name][kept]
    sizes = replace(old, d_vocab=len(tokens), n_ctx=n_ctx)
    own = {name: weight.clone() for name, weight in weights.items()}
    return rebuilt(type(model).__name__, vars(sizes), own)


def _transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise RealModelProblem(
            "Real models need the package transformers (the extra mechcourse[real-models]). "
            f"In the course's folder run: {INSTALL}"
        ) from error
    # Else a model without safetensors would be sent to a service that converts it.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    return transformers


def _hub_answers(name: str | Path) -> bool:
    """Whether files may be fetched: asked first, since transformers tries for half a minute."""
    if Path(name).is_dir():
        return False
    if getproxies():  # what lies behind a proxy can't be asked directly
        return True
    from huggingface_hub.constants import ENDPOINT

    url = urlsplit(ENDPOINT)
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        socket.create_connection((url.hostname, port), timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def _explained(name: str | Path) -> "Iterator[None]":
    """Turn what `transformers` raises into a sentence that says what to do."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        said = str(error)
        if "safetensors" in said:
            problem = "has no weights as safetensors, the only kind that is read."
        elif Path(name).is_dir():
            problem = "is not a checkpoint in Hugging Face form."
        elif any(word in said.lower() for word in ("connect", "offline", "resolve", "cached")):
            problem = "is not in the cache, and the Hugging Face Hub was not reached."
        else:
            problem = "could not be read."
        raise RealModelProblem(f"{name} {problem} transformers says: {said[:500]}") from error
