"""What Hugging Face calls the sizes and weights of GPT-2 and GPT-NeoX, and what we call them."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.full_models import FullTransformerConfig

# Hugging Face's names for what `ACTIVATIONS` has.
_ACTIVATIONS = {
    **{"gelu": "gelu", "gelu_python": "gelu", "relu": "relu"},
    **{"gelu_new": "gelu_new", "gelu_fast": "gelu_new", "gelu_pytorch_tanh": "gelu_new"},
}


class OtherArchitecture(ValueError):
    """A model with something that ours do not have."""


def our_config(theirs: Any) -> FullTransformerConfig:
    """The config of our model, from a `transformers` config.

    Raises:
        OtherArchitecture: neither GPT-2 nor GPT-NeoX, or with an option that ours do not have.
    """
    if theirs.model_type not in _READERS:
        raise OtherArchitecture(
            f"is of the architecture {theirs.model_type}; "
            "only GPT-2 (gpt2) and GPT-NeoX (gpt_neox) are read."
        )
    return _READERS[theirs.model_type][0](theirs)


def our_weights(
    model_type: str, theirs: dict[str, Tensor], config: FullTransformerConfig
) -> dict[str, Tensor]:
    """The `state_dict` of our model, from that of a `transformers` model."""
    weights = _READERS[model_type][1](theirs, config)
    # Copies that share no memory: tied and fused weights come apart.
    return {
        name: weight.detach().clone(memory_format=torch.contiguous_format)
        for name, weight in weights.items()
    }


def _refuse(options: dict[str, bool]) -> None:
    for option, used in options.items():
        if used:
            raise OtherArchitecture(f"uses {option}, which our models do not have.")


def _activation(name: str) -> str:
    _refuse({f"the activation {name}": name not in _ACTIVATIONS})
    return _ACTIVATIONS[name]


def _gpt2_sizes(config: Any) -> FullTransformerConfig:
    _refuse(
        {
            "attention scores that are not scaled": not config.scale_attn_weights,
            "attention scores scaled by layer": config.scale_attn_by_inverse_layer_idx,
            "cross-attention": config.add_cross_attention,
        }
    )
    return FullTransformerConfig(
        n_layers=config.n_layer,
        d_model=config.n_embd,
        n_heads=config.n_head,
        d_head=config.n_embd // config.n_head,
        d_vocab=config.vocab_size,
        n_ctx=config.n_positions,
        d_mlp=config.n_inner or 4 * config.n_embd,
        activation=_activation(config.activation_function),
        eps=config.layer_norm_epsilon,
    )


def _gpt2_weights(theirs: dict[str, Tensor], ours: FullTransformerConfig) -> dict[str, Tensor]:
    """GPT-2 keeps matrices as [in, out]; queries, keys and values lie side by side, then heads."""
    weights = _outside(
        theirs,
        ours,
        embed="transformer.wte.weight",
        ln_final="transformer.ln_f",
        unembed="lm_head",
    )
    weights["pos_embed.W_pos"] = theirs["transformer.wpe.weight"]
    for layer in range(ours.n_layers):
        old, new = f"transformer.h.{layer}", f"blocks.{layer}"
        reads = theirs[f"{old}.attn.c_attn.weight"].T.unflatten(0, (3, ours.n_heads, ours.d_head))
        biases = theirs[f"{old}.attn.c_attn.bias"].unflatten(0, (3, ours.n_heads, ours.d_head))
        weights |= _attention(new, reads, biases)
        weights |= {
            f"{new}.attn.W_O": theirs[f"{old}.attn.c_proj.weight"].unflatten(0, (ours.n_heads, -1)),
            f"{new}.attn.b_O": theirs[f"{old}.attn.c_proj.bias"],
            f"{new}.mlp.W_in": theirs[f"{old}.mlp.c_fc.weight"],
            f"{new}.mlp.b_in": theirs[f"{old}.mlp.c_fc.bias"],
            f"{new}.mlp.W_out": theirs[f"{old}.mlp.c_proj.weight"],
            f"{new}.mlp.b_out": theirs[f"{old}.mlp.c_proj.bias"],
            **_norm(f"{new}.ln1", theirs, f"{old}.ln_1"),
            **_norm(f"{new}.ln2", theirs, f"{old}.ln_2"),
        }
    return weights


def _neox_sizes(config: Any) -> FullTransformerConfig:
    d_head = config.hidden_size // config.num_attention_heads
    rotary = config.rope_parameters
    kind = rotary.get("rope_type", "default")
    _refuse({f"rotary positions of the kind {kind}": kind != "default"})
    return FullTransformerConfig(
        n_layers=config.num_hidden_layers,
        d_model=config.hidden_size,
        n_heads=config.num_attention_heads,
        d_head=d_head,
        d_vocab=config.vocab_size,
        n_ctx=config.max_position_embeddings,
        d_mlp=config.intermediate_size,
        activation=_activation(config.hidden_act),
        positions="rotary",
        rotary_dim=int(d_head * rotary.get("partial_rotary_factor", 1.0)),
        rotary_base=float(rotary["rope_theta"]),
        parallel=config.use_parallel_residual,
        eps=config.layer_norm_eps,
    )


def _neox_weights(theirs: dict[str, Tensor], ours: FullTransformerConfig) -> dict[str, Tensor]:
    """GPT-NeoX keeps matrices as [out, in]; each head's query, key and value lie side by side."""
    weights = _outside(
        theirs,
        ours,
        embed="gpt_neox.embed_in.weight",
        ln_final="gpt_neox.final_layer_norm",
        unembed="lm_head" if "lm_head.weight" in theirs else "embed_out",
    )
    none = torch.zeros(3 * ours.n_heads * ours.d_head)
    for layer in range(ours.n_layers):
        old, new = f"gpt_neox.layers.{layer}", f"blocks.{layer}"
        fused = f"{old}.attention.query_key_value"
        per_head = (ours.n_heads, 3, ours.d_head)
        reads = theirs[f"{fused}.weight"].unflatten(0, per_head).transpose(0, 1)
        biases = theirs.get(f"{fused}.bias", none).unflatten(0, per_head).transpose(0, 1)
        weights |= _attention(new, reads, biases)
        writes = theirs[f"{old}.attention.dense.weight"].T
        weights |= {
            f"{new}.attn.W_O": writes.unflatten(0, (ours.n_heads, -1)),
            f"{new}.attn.b_O": theirs.get(f"{old}.attention.dense.bias", torch.zeros(ours.d_model)),
            f"{new}.mlp.W_in": theirs[f"{old}.mlp.dense_h_to_4h.weight"].T,
            f"{new}.mlp.b_in": theirs[f"{old}.mlp.dense_h_to_4h.bias"],
            f"{new}.mlp.W_out": theirs[f"{old}.mlp.dense_4h_to_h.weight"].T,
            f"{new}.mlp.b_out": theirs[f"{old}.mlp.dense_4h_to_h.bias"],
            **_norm(f"{new}.ln1", theirs, f"{old}.input_layernorm"),
            **_norm(f"{new}.ln2", theirs, f"{old}.post_attention_layernorm"),
        }
    return weights


def _attention(
    block: str,
    reads: Float[Tensor, "3 head d_head d_model"],
    biases: Float[Tensor, "3 head d_head"],
) -> dict[str, Tensor]:
    weights = {f"{block}.attn.W_{kind}": reads[i].mT for i, kind in enumerate("QKV")}
    return weights | {f"{block}.attn.b_{kind}": biases[i] for i, kind in enumerate("QKV")}


def _norm(new: str, theirs: dict[str, Tensor], old: str) -> dict[str, Tensor]:
    return {f"{new}.w": theirs[f"{old}.weight"], f"{new}.b": theirs[f"{old}.bias"]}


def _outside(
    theirs: dict[str, Tensor],
    ours: FullTransformerConfig,
    *,
    embed: str,
    ln_final: str,
    unembed: str,
) -> dict[str, Tensor]:
    """What is in no layer; the unembedding may be the embedding once more."""
    bias = theirs.get(f"{unembed}.bias", torch.zeros(ours.d_vocab))
    weights = {
        "embed.W_E": theirs[embed],
        "unembed.W_U": theirs.get(f"{unembed}.weight", theirs[embed]).T,
        "unembed.b_U": bias,
    }
    return weights | _norm("ln_final", theirs, ln_final)


_READERS: dict[str, tuple[Any, Any]] = {
    "gpt2": (_gpt2_sizes, _gpt2_weights),
    "gpt_neox": (_neox_sizes, _neox_weights),
}
