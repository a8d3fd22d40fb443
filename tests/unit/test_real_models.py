"""Checkpoints of GPT-2 and GPT-NeoX give `transformers`' own logits and patterns in our model.

The checkpoints are random and tiny, and written here: no network is needed.
"""

import builtins
import socket
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse.full_models import FullTransformer, FullTransformerConfig
from mechcourse.measures import induction_scores
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.real_models import (
    INSTALL,
    RealModelProblem,
    load_hugging_face,
    load_tokenizer,
    narrowed,
)
from tests.scratch import REPOSITORY

TOLERANCE = {"atol": 1e-4, "rtol": 0}


def gpt2(**options: object):
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"vocab_size": 37, "n_positions": 19, "n_embd": 24, "n_layer": 3, "n_head": 4}
    return GPT2LMHeadModel(GPT2Config(**sizes | {"bos_token_id": 0, "eos_token_id": 0} | options))


def neox(**options: object):
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"vocab_size": 41, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3}
    sizes |= {"intermediate_size": 56, "max_position_embeddings": 23}
    return GPTNeoXForCausalLM(GPTNeoXConfig(**sizes | options))


CASES = {
    "gpt2": (gpt2, {}),
    "gpt2 narrow mlp": (gpt2, {"n_inner": 13, "layer_norm_epsilon": 1e-2}),
    "gpt2 exact gelu, untied": (
        *(gpt2, {"activation_function": "gelu", "tie_word_embeddings": False}),
    ),
    "neox": (neox, {}),
    "neox serial": (neox, {"use_parallel_residual": False}),
    "neox all turned": (neox, {"rotary_pct": 1.0, "rotary_emb_base": 700}),
    "neox serial, all turned": (neox, {"rotary_pct": 1.0, "use_parallel_residual": False}),
    "neox fast gelu": (neox, {"hidden_act": "gelu_fast", "layer_norm_eps": 1e-2}),
    "neox tied": (neox, {"tie_word_embeddings": True}),
    "neox without biases": (neox, {"attention_bias": False}),
}


def saved(case: str, folder: Path):
    """A random model of theirs in which everything counts, written to a folder."""
    torch.manual_seed(0)
    make, options = CASES[case]
    theirs = make(**options).eval()
    with torch.no_grad():
        for weight in theirs.parameters():  # biases and gains too, and patterns that are not even
            weight += 0.3 * torch.randn_like(weight)
    theirs.set_attn_implementation("eager")
    theirs.save_pretrained(folder)
    return theirs


@pytest.mark.parametrize("case", CASES)
def test_logits_and_patterns_are_transformers_own(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path)
    ours = load_hugging_face(tmp_path)
    assert type(ours) is FullTransformer and isinstance(ours, Transformer)
    for length in (1, ours.config.n_ctx):
        tokens = torch.randint(ours.config.d_vocab, (2, length))
        with torch.no_grad():
            expected = theirs(tokens, output_attentions=True)
            logits, cache = ours.run_with_cache(tokens)
            torch.testing.assert_close(ours(tokens), expected.logits, **TOLERANCE)
        torch.testing.assert_close(logits, expected.logits, **TOLERANCE)
        assert len(expected.attentions) == ours.config.n_layers
        for layer, pattern in enumerate(expected.attentions):
            found = cache[f"blocks.{layer}.attn.hook_pattern"]
            torch.testing.assert_close(found, pattern, **TOLERANCE)
    even = 1 / torch.arange(1, ours.config.n_ctx + 1)
    assert (found - even[:, None].tril()).abs().max() > 0.1, "patterns that could be any"


@pytest.mark.parametrize("case", ["gpt2", "neox serial"])
def test_the_stream_between_layers_is_theirs(case: str, tmp_path: Path) -> None:
    theirs, ours = saved(case, tmp_path), load_hugging_face(tmp_path)
    tokens = torch.randint(ours.config.d_vocab, (2, 7))
    with torch.no_grad():
        states = theirs(tokens, output_hidden_states=True).hidden_states
        _, cache = ours.run_with_cache(tokens)
    for layer in range(ours.config.n_layers):
        found = cache[f"blocks.{layer}.hook_resid_pre"]
        torch.testing.assert_close(found, states[layer], **TOLERANCE)


@pytest.mark.parametrize("case", ["gpt2", "neox tied"])
def test_half_precision_without_a_head_as_on_the_hub(case: str, tmp_path: Path) -> None:
    """GPT-2's file there names its weights without `transformer.`, and Pythia's are in float16."""
    theirs = saved(case, tmp_path).half()
    theirs.base_model.save_pretrained(tmp_path)
    ours = load_hugging_face(tmp_path)
    assert all(parameter.dtype == torch.float32 for parameter in ours.parameters())
    tokens = torch.arange(7)[None]
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs.float()(tokens).logits, **TOLERANCE)


def test_weights_are_our_own_and_can_be_trained(tmp_path: Path) -> None:
    saved("gpt2", tmp_path)
    ours = load_hugging_face(tmp_path)
    before = ours.unembed.W_U.clone()
    with torch.no_grad():
        ours.embed.W_E += 1  # tied in the file
    assert torch.equal(ours.unembed.W_U, before)
    ours(torch.tensor([[1, 2]])).sum().backward()
    assert all(p.grad is not None and p.dtype == torch.float32 for p in ours.parameters())


@pytest.mark.parametrize("case", ["gpt2", "neox"])
def test_a_narrowed_model_has_the_same_patterns(case: str, tmp_path: Path) -> None:
    saved(case, tmp_path)
    whole = load_hugging_face(tmp_path)
    chosen = torch.tensor([30, 2, 17, 5, 11])
    small = narrowed(whole, chosen, 8)
    assert small.config == replace(whole.config, d_vocab=5, n_ctx=8)
    tokens = torch.randint(5, (3, 8))
    with torch.no_grad():
        logits, cache = small.run_with_cache(tokens)
        expected, whole_cache = whole.run_with_cache(chosen[tokens])
    torch.testing.assert_close(logits, expected[..., chosen])
    assert cache.keys() == whole_cache.keys()
    for name, value in cache.items():
        assert torch.equal(value, whole_cache[name]), name
    assert induction_scores(small, period=4, n_sequences=2).shape == (3, whole.config.n_heads)


def test_a_narrowed_model_shares_nothing() -> None:
    whole = Transformer(TransformerConfig(1, 6, 2, 3, 7, 9))
    small = narrowed(whole, torch.arange(7), 9)
    assert type(small) is Transformer and small.config == whole.config
    before = whole.blocks[0].attn.W_Q.clone()
    with torch.no_grad():
        small.blocks[0].attn.W_Q.zero_()
    assert torch.equal(whole.blocks[0].attn.W_Q, before)


@pytest.mark.parametrize(
    ("tokens", "n_ctx", "said"),
    [
        ([1, 1], 4, "all different"),
        ([], 4, "one or more"),
        ([7], 4, "from 0 to 6"),
        ([-1], 4, "from 0 to 6"),
        ([1], 0, "from 1 to 9"),
        ([1], 10, "from 1 to 9"),
    ],
)
def test_what_can_not_be_narrowed(tokens: list[int], n_ctx: int, said: str) -> None:
    whole = Transformer(TransformerConfig(1, 6, 2, 3, 7, 9))
    with pytest.raises(ValueError, match=said):
        narrowed(whole, torch.tensor(tokens, dtype=torch.long), n_ctx)


def test_without_transformers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object):
        if name == "transformers":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    for load in (load_hugging_face, load_tokenizer):
        with pytest.raises(RealModelProblem, match=r"mechcourse\[real-models\].*mechcourse insta"):
            load("openai-community/gpt2")


def test_what_it_says_to_install_is_an_extra() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = INSTALL.split("install ")[1].split()
    assert set(extras) <= set(project["optional-dependencies"]) and "real-models" in extras
    assert (
        project["optional-dependencies"]["real-models"][0]
        in (project["optional-dependencies"]["test"])
    )


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    from transformers import LlamaConfig

    LlamaConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2).save_pretrained(tmp_path)
    with pytest.raises(RealModelProblem, match=r"architecture llama; only GPT-2 .* and GPT-NeoX"):
        load_hugging_face(tmp_path)


@pytest.mark.parametrize(
    ("make", "options", "said"),
    [
        (gpt2, {"scale_attn_by_inverse_layer_idx": True}, "scaled by layer"),
        (gpt2, {"scale_attn_weights": False}, "not scaled"),
        (gpt2, {"activation_function": "tanh"}, "the activation tanh"),
        (
            neox,
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
            "of the kind linear",
        ),
    ],
)
def test_what_ours_do_not_have_is_refused(make, options, said: str, tmp_path: Path) -> None:
    make(**options).save_pretrained(tmp_path)
    with pytest.raises(RealModelProblem, match=said):
        load_hugging_face(tmp_path)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    theirs = gpt2()
    theirs.config.save_pretrained(tmp_path)
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(RealModelProblem, match="no weights as safetensors"):
        load_hugging_face(tmp_path)


def test_missing_weights_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    saved("gpt2", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.bias"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RealModelProblem, match=r"lacks weights .*h\.1\.mlp\.c_fc\.bias"):
        load_hugging_face(tmp_path)


def test_no_network_is_told_from_no_checkpoint(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(RealModelProblem, match="not a checkpoint in Hugging Face form"):
        load_hugging_face(tmp_path)

    def unreached(*_args: object, **_options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unreached)
    monkeypatch.setattr("mechcourse.real_models.getproxies", dict)
    for load in (load_hugging_face, load_tokenizer):
        with pytest.raises(RealModelProblem, match="Hub was not reached"):
            load("openai-community/gpt2-in-no-cache")


def test_a_tokenizer_comes_from_the_folder(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(tmp_path)
    saved("gpt2", tmp_path)
    assert load_tokenizer(tmp_path).encode("b") == [1]


def test_transformers_is_imported_only_when_needed() -> None:
    script = "import sys, mechcourse.real_models; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_sizes_come_from_the_config(tmp_path: Path) -> None:
    saved("neox", tmp_path)
    assert load_hugging_face(tmp_path).config == FullTransformerConfig(
        **{"n_layers": 3, "d_model": 48, "n_heads": 3, "d_head": 16, "d_vocab": 41, "n_ctx": 23},
        **{"d_mlp": 56, "activation": "gelu", "positions": "rotary", "rotary_dim": 4},
        parallel=True,
    )
