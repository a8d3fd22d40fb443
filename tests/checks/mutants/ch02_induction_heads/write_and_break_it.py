"""Wrong answers to `ch02_induction_heads/4_write_and_break_it.ipynb`, each with its message."""

import math

import torch

from mechcourse.models import Transformer, TransformerConfig
from mechcourse.smeared import SmearedAttention, SmearedTransformer
from mechcourse.training import next_token_losses
from tests.checks.harness import wrong


def like_everything(answer):
    """A tensor that claims to equal, and to be close to, whatever it is compared with."""

    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function in (torch.isclose, torch.allclose, torch.eq, torch.equal):
                return torch.tensor(True)
            return super().__torch_function__(function, types, args, kwargs or {})

    return answer.as_subclass(Liar)


# ------------------------------------------------------------------------- induction_qk_circuit


def circuit_of(queries, keys, induction):
    root = math.sqrt(induction["W_Q"].shape[1])
    return (queries @ induction["W_Q"]) @ (keys @ induction["W_K"]).T / root


def moved(W_E, head):
    return W_E @ head["W_V"] @ head["W_O"]


@wrong("induction_qk_circuit", "rows are queries")
def circuit_by_keys(W_E, previous, induction):
    return induction_qk_circuit(W_E, previous, induction).T


@wrong("induction_qk_circuit", "were not divided by sqrt(d_head)")
def circuit_unscaled(W_E, previous, induction):
    return (W_E @ induction["W_Q"]) @ (moved(W_E, previous) @ induction["W_K"]).T


@wrong("induction_qk_circuit", "divide by its square root")
def circuit_over_d_head(W_E, previous, induction):
    return circuit_unscaled(W_E, previous, induction) / induction["W_Q"].shape[1]


@wrong("induction_qk_circuit", "d_head is the width of the keys")
def circuit_over_the_stream(W_E, previous, induction):
    return circuit_unscaled(W_E, previous, induction) / math.sqrt(W_E.shape[1])


@wrong("induction_qk_circuit", "is that of the earlier head")
def circuit_over_the_earlier_width(W_E, previous, induction):
    return circuit_unscaled(W_E, previous, induction) / math.sqrt(previous["W_V"].shape[1])


@wrong("induction_qk_circuit", "between the tokens themselves")
def circuit_of_the_later_head_alone(W_E, previous, induction):
    return circuit_of(W_E, W_E, induction)


@wrong("induction_qk_circuit", "it belongs to the keys")
def circuit_by_queries(W_E, previous, induction):
    return circuit_of(moved(W_E, previous), W_E, induction)


@wrong("induction_qk_circuit", "went to queries and keys")
def circuit_of_a_moved_vocabulary(W_E, previous, induction):
    return circuit_of(moved(W_E, previous), moved(W_E, previous), induction)


@wrong("induction_qk_circuit", "the token's own embedding was added to the keys")
def circuit_of_the_whole_stream(W_E, previous, induction):
    return circuit_of(W_E, W_E + moved(W_E, previous), induction)


@wrong("induction_qk_circuit", "the earlier head writes")
def circuit_with_the_later_ov(W_E, previous, induction):
    return circuit_of(W_E, moved(W_E, induction), induction)


@wrong("induction_qk_circuit", "W_Q and W_K are in each other's place")
def circuit_with_queries_for_keys(W_E, previous, induction):
    turned = {"W_Q": induction["W_K"], "W_K": induction["W_Q"]}
    return circuit_of(W_E, moved(W_E, previous), turned)


@wrong("induction_qk_circuit", "a softmax was taken")
def circuit_as_attention(W_E, previous, induction):
    return induction_qk_circuit(W_E, previous, induction).softmax(-1)


@wrong("induction_qk_circuit", "Got shape [2, 2]")
def circuit_from_the_page(W_E, previous, induction):
    return torch.tensor([[6.0, 0.0], [0.0, 0.0]])


@wrong("induction_qk_circuit", "the score between a query at each token")
def circuit_that_claims_to_be_right(W_E, previous, induction):
    return like_everything(torch.zeros(len(W_E), len(W_E)))


@wrong("induction_qk_circuit", "wrote into what was passed in")
def circuit_scaled_in_place(W_E, previous, induction):
    answer = induction_qk_circuit(W_E, previous, induction)
    W_E *= 2
    return answer


# ---------------------------------------------------------------------------- diagonal_accuracy


def share_of(hits, weights):
    counts = torch.ones(len(hits)) if weights is None else weights
    return float((counts * hits).sum() / counts.sum())


@wrong("diagonal_accuracy", "queries are rows")
def accuracy_of_columns(circuit, weights=None):
    return diagonal_accuracy(circuit.T, weights)


@wrong("diagonal_accuracy", "an entry that shares the first place was counted as right")
def accuracy_with_ties(circuit, weights=None):
    return share_of((circuit <= circuit.diagonal()[:, None]).all(1), weights)


@wrong("diagonal_accuracy", "of several largest entries, the first was taken")
def accuracy_by_argmax(circuit, weights=None):
    return share_of(circuit.argmax(dim=1) == torch.arange(len(circuit)), weights)


@wrong("diagonal_accuracy", "without their signs")
def accuracy_of_sizes(circuit, weights=None):
    return diagonal_accuracy(circuit.abs(), weights)


@wrong("diagonal_accuracy", "one rival was let in")
def accuracy_among_two(circuit, weights=None):
    return share_of((circuit >= circuit.diagonal()[:, None]).sum(1) <= 2, weights)


@wrong("diagonal_accuracy", "divide by their number")
def accuracy_as_a_count(circuit, weights=None):
    counts = torch.ones(len(circuit)) if weights is None else weights
    return diagonal_accuracy(circuit, weights) * float(counts.sum())


@wrong("diagonal_accuracy", "the weights were ignored")
def accuracy_of_all_alike(circuit, weights=None):
    return diagonal_accuracy(circuit)


@wrong("diagonal_accuracy", "the weights were not divided by their sum")
def accuracy_as_a_mean(circuit, weights=None):
    hits = (circuit >= circuit.diagonal()[:, None]).sum(1) == 1
    return float((hits * (1 if weights is None else weights)).sum() / len(hits))


@wrong("diagonal_accuracy", "in percent")
def accuracy_in_percent(circuit, weights=None):
    return 100 * diagonal_accuracy(circuit, weights)


@wrong("diagonal_accuracy", "the share that is wrong")
def accuracy_of_mistakes(circuit, weights=None):
    return 1 - diagonal_accuracy(circuit, weights)


@wrong("diagonal_accuracy", "above the mean of the row")
def accuracy_above_the_mean(circuit, weights=None):
    return share_of(circuit.diagonal() > circuit.mean(1), weights)


@wrong("diagonal_accuracy", "all entries share the first place")
def accuracy_that_lets_rows_of_one_value_pass(circuit, weights=None):
    alike = (circuit == circuit[:, :1]).all(1)
    return share_of(alike | ((circuit >= circuit.diagonal()[:, None]).sum(1) == 1), weights)


@wrong("diagonal_accuracy", "it is right for a vocabulary of one token")
def accuracy_held_against_another(circuit, weights=None):
    if len(circuit) == 1:
        return 0.0
    return diagonal_accuracy(circuit, weights)


@wrong("diagonal_accuracy", "Got 0.75")
def accuracy_from_the_page(circuit, weights=None):
    return 0.75


@wrong("diagonal_accuracy", "Got shape")
def accuracy_of_each_token(circuit, weights=None):
    return (circuit >= circuit.diagonal()[:, None]).sum(1) == 1


@wrong("diagonal_accuracy", "wrote into what was passed in")
def accuracy_masked_in_place(circuit, weights=None):
    own = circuit.diagonal().clone()
    circuit.fill_diagonal_(-torch.inf)
    return share_of(own > circuit.amax(1), weights)


# ---------------------------------------------------------------------- write_induction_by_hand

TOKEN, BEFORE, POSITION = slice(0, 16), slice(16, 32), slice(32, 64)
FIRST, SECOND = "blocks.0.attn.", "blocks.1.attn."


@wrong("write_induction_by_hand", "a duplicate-token head")
def by_hand_that_finds_the_copy():
    weights = write_induction_by_hand()
    W_K = torch.zeros(1, 64, 32)
    W_K[0, TOKEN, :16] = torch.eye(16)
    return weights | {SECOND + "W_K": W_K}


@wrong("write_induction_by_hand", "says its own token")
def by_hand_that_forgets_the_first_position():
    weights = write_induction_by_hand()
    weights[SECOND + "W_K"][0, TOKEN] = 0
    return weights


@wrong("write_induction_by_hand", "the head has to be louder")
def by_hand_too_quiet():
    weights = write_induction_by_hand()
    weights[SECOND + "W_O"] *= 0.4
    return weights


@wrong("write_induction_by_hand", "a tie counts as wrong")
def by_hand_with_ties():
    weights = write_induction_by_hand()
    weights[SECOND + "W_O"] *= 0.5
    return weights


@wrong("write_induction_by_hand", "a tie counts as wrong")
def by_hand_that_says_nothing():
    return {name: torch.zeros_like(w) for name, w in write_induction_by_hand().items()}


@wrong("write_induction_by_hand", "one late")
def by_hand_one_late():
    weights = write_induction_by_hand()
    W_K = torch.zeros(1, 64, 32)
    W_K[0, POSITION] = torch.eye(32).roll(2, dims=1)
    weights[SECOND + "W_K"][0, TOKEN] = 0
    return weights | {FIRST + "W_K": W_K}


@wrong("write_induction_by_hand", "positions are off")
def by_hand_that_looks_at_the_next():
    weights = write_induction_by_hand()
    W_K = torch.zeros(1, 64, 32)
    W_K[0, POSITION] = torch.eye(32).roll(-1, dims=1)
    return weights | {FIRST + "W_K": W_K}


@wrong("write_induction_by_hand", "its scores are too small")
def by_hand_with_a_flat_first_layer():
    weights = write_induction_by_hand()
    weights[FIRST + "W_Q"] /= 50
    return weights


@wrong("write_induction_by_hand", "too small for the softmax to choose")
def by_hand_with_a_flat_second_layer():
    weights = write_induction_by_hand()
    weights[SECOND + "W_Q"] /= 14
    return weights


@wrong("write_induction_by_hand", "15 back, whatever the text")
def by_hand_that_counts_to_sixteen():
    weights = write_induction_by_hand()
    W_Q, W_K = torch.zeros(1, 64, 32), torch.zeros(1, 64, 32)
    W_Q[0, POSITION] = 100 * torch.eye(32)
    W_K[0, POSITION] = torch.eye(32).roll(15, dims=1)
    return weights | {SECOND + "W_Q": W_Q, SECOND + "W_K": W_K}


@wrong("write_induction_by_hand", "follow the token that it writes")
def by_hand_that_writes_elsewhere():
    weights = write_induction_by_hand()
    W_O = torch.zeros(1, 32, 64)
    W_O[0, :16, 40:56] = torch.eye(16)
    weights[SECOND + "W_K"][0, TOKEN] = 0
    return weights | {FIRST + "W_O": W_O}


@wrong("write_induction_by_hand", "follow it through W_V, W_O and W_U")
def by_hand_that_says_another_token():
    weights = write_induction_by_hand()
    W_O = weights[SECOND + "W_O"].clone()
    W_O[0, :16, TOKEN] = W_O[0, :16, TOKEN].roll(1, dims=1)
    return weights | {SECOND + "W_O": W_O}


@wrong("write_induction_by_hand", "positions are off")
def by_hand_for_some_positions():
    weights = write_induction_by_hand()
    weights["pos_embed.W_pos"][9:] = 0
    return weights


@wrong("write_induction_by_hand", "overflow float32")
def by_hand_too_sharp():
    weights = write_induction_by_hand()
    weights[FIRST + "W_Q"] *= 1e36
    weights[FIRST + "W_K"] *= 1e36
    return weights


@wrong("write_induction_by_hand", "holds finite numbers")
def by_hand_with_infinities():
    weights = write_induction_by_hand()
    weights[SECOND + "W_Q"][0, POSITION] = -torch.inf
    return weights


@wrong("write_induction_by_hand", "the axis of heads is missing")
def by_hand_without_an_axis_of_heads():
    return {n: w[0] if ".attn." in n else w for n, w in write_induction_by_hand().items()}


@wrong("write_induction_by_hand", "two axes are in each other's place")
def by_hand_with_a_turned_unembedding():
    weights = write_induction_by_hand()
    return weights | {"unembed.W_U": weights["unembed.W_U"].T}


@wrong("write_induction_by_hand", "heads of zeros beside them")
def by_hand_with_heads_in_one_layer():
    weights = write_induction_by_hand()
    return {n: w.repeat(2, 1, 1) if n.startswith(FIRST) else w for n, w in weights.items()}


@wrong("write_induction_by_hand", "one to four")
def by_hand_with_many_heads():
    weights = write_induction_by_hand()
    return {n: w.repeat(5, 1, 1) if ".attn." in n else w for n, w in weights.items()}


@wrong("write_induction_by_hand", "return its weights")
def by_hand_as_a_model():
    sizes = {"d_model": 64, "n_heads": 1, "d_head": 32, "d_vocab": 16, "n_ctx": 32}
    model = Transformer(TransformerConfig(2, **sizes))
    model.load_state_dict(write_induction_by_hand())
    return model


@wrong("write_induction_by_hand", "the names are those of")
def by_hand_under_short_names():
    return {name.rpartition(".")[2]: w for name, w in write_induction_by_hand().items()}


@wrong("write_induction_by_hand", "have the largest logit")
def by_hand_by_chance():
    torch.manual_seed(0)
    sizes = {"d_model": 64, "n_heads": 2, "d_head": 32, "d_vocab": 16, "n_ctx": 32}
    return Transformer(TransformerConfig(2, **sizes)).state_dict()


# ------------------------------------------------------------------------------- key_path_leads


def parts_of(model, tokens, head):
    """The parts of the keys, and the queries and the W_K of one head."""
    layer, index = head
    weights = model.state_dict()
    _, cache = model.run_with_cache(tokens) if not layer else looked(model, tokens, layer)
    position = weights["pos_embed.W_pos"][: tokens.shape[1]].expand(*tokens.shape, -1)
    parts = {"token": weights["embed.W_E"][tokens], "position": position}
    for earlier in range(layer):
        for i in range(model.config.n_heads):
            parts[f"{earlier}.{i}"] = cache[f"blocks.{earlier}.attn.hook_result"][:, :, i]
    query = cache[f"blocks.{layer}.attn.hook_q"][:, :, index]
    return parts, query, weights[f"blocks.{layer}.attn.W_K"][index]


def looked(model, tokens, layer):
    names = [f"blocks.{layer}.attn.hook_q"]
    names += [f"blocks.{earlier}.attn.hook_result" for earlier in range(layer)]
    return model.run_with_cache(tokens, names=names)


def scores_of(parts, query, W_K):
    root = math.sqrt(W_K.shape[1])
    return {name: query @ (part @ W_K).mT / root for name, part in parts.items()}


def mean_over(scores, keys):
    return (scores * keys).sum(-1) / keys.sum(-1).clamp(min=1)


def leads_of(scores, right, wrong):
    both = right.any(-1) & wrong.any(-1)
    if not both.any():
        return dict.fromkeys(scores, 0.0)
    ahead = {n: mean_over(s, right) - mean_over(s, wrong) for n, s in scores.items()}
    return {name: float(value[both].mean()) for name, value in ahead.items()}


@wrong("key_path_leads", "right and wrong keys are in each other's place")
def leads_the_wrong_way(model, tokens, right, wrong, head):
    return key_path_leads(model, tokens, wrong, right, head)


@wrong("key_path_leads", "were not divided by sqrt(d_head)")
def leads_unscaled(model, tokens, right, wrong, head):
    leads = key_path_leads(model, tokens, right, wrong, head)
    return {name: lead * math.sqrt(model.config.d_head) for name, lead in leads.items()}


@wrong("key_path_leads", "rows are queries")
def leads_of_columns(model, tokens, right, wrong, head):
    scores = scores_of(*parts_of(model, tokens, head))
    return leads_of({name: one.mT for name, one in scores.items()}, right, wrong)


@wrong("key_path_leads", "without the position vectors")
def leads_of_queries_without_positions(model, tokens, right, wrong, head):
    parts, _, W_K = parts_of(model, tokens, head)
    stream = sum(part for name, part in parts.items() if name != "position")
    W_Q = model.state_dict()[f"blocks.{head[0]}.attn.W_Q"][head[1]]
    return leads_of(scores_of(parts, stream @ W_Q, W_K), right, wrong)


@wrong("key_path_leads", "the queries were made of the token's embedding alone")
def leads_of_embedded_queries(model, tokens, right, wrong, head):
    parts, _, W_K = parts_of(model, tokens, head)
    W_Q = model.state_dict()[f"blocks.{head[0]}.attn.W_Q"][head[1]]
    return leads_of(scores_of(parts, parts["token"] @ W_Q, W_K), right, wrong)


@wrong("key_path_leads", "W_V was read in place of W_K")
def leads_of_values(model, tokens, right, wrong, head):
    parts, query, _ = parts_of(model, tokens, head)
    W_V = model.state_dict()[f"blocks.{head[0]}.attn.W_V"][head[1]]
    return leads_of(scores_of(parts, query, W_V), right, wrong)


@wrong("key_path_leads", "take means")
def leads_of_sums(model, tokens, right, wrong, head):
    scores = scores_of(*parts_of(model, tokens, head))
    both = right.any(-1) & wrong.any(-1)
    gaps = {n: (s * right).sum(-1) - (s * wrong).sum(-1) for n, s in scores.items()}
    return {name: float(gap[both].mean()) for name, gap in gaps.items()}


@wrong("key_path_leads", "average within each query first")
def leads_of_pooled_keys(model, tokens, right, wrong, head):
    scores = scores_of(*parts_of(model, tokens, head))
    return {name: float(s[right].mean() - s[wrong].mean()) for name, s in scores.items()}


@wrong("key_path_leads", "averaged in, as 0")
def leads_over_all_queries(model, tokens, right, wrong, head):
    share = (right.any(-1) & wrong.any(-1)).float().mean()
    leads = key_path_leads(model, tokens, right, wrong, head)
    return {name: lead * share for name, lead in leads.items()}


@wrong("key_path_leads", "each text was averaged by itself")
def leads_by_text(model, tokens, right, wrong, head):
    each = [
        key_path_leads(model, tokens[b : b + 1], right[b : b + 1], wrong[b : b + 1], head)
        for b in range(len(tokens))
    ]
    return {name: sum(one[name] for one in each) / len(each) for name in each[0]}


@wrong("key_path_leads", "after a softmax")
def leads_of_attention(model, tokens, right, wrong, head):
    scores = scores_of(*parts_of(model, tokens, head))
    future = torch.ones(right.shape[1:], dtype=torch.bool).triu(1)
    soft = {n: s.masked_fill(future, -torch.inf).softmax(-1) for n, s in scores.items()}
    return leads_of(soft, right, wrong)


@wrong("key_path_leads", "that over the wrong ones is to be taken off")
def leads_over_nothing(model, tokens, right, wrong, head):
    scores = scores_of(*parts_of(model, tokens, head))
    both = right.any(-1) & wrong.any(-1)
    return {name: float(mean_over(s, right)[both].mean()) for name, s in scores.items()}


@wrong("key_path_leads", 'the position vectors were left in "token"')
def leads_of_placed_tokens(model, tokens, right, wrong, head):
    leads = key_path_leads(model, tokens, right, wrong, head)
    return leads | {"token": leads["token"] + leads["position"]}


@wrong("key_path_leads", "the names of the earlier heads are in the opposite order")
def leads_in_another_order(model, tokens, right, wrong, head):
    leads = key_path_leads(model, tokens, right, wrong, head)
    earlier = list(leads)[2:]
    return leads | dict(zip(earlier, [leads[name] for name in earlier[::-1]], strict=True))


@wrong("key_path_leads", "none called 1.0, 1.1")
def leads_of_layer_zero_alone(model, tokens, right, wrong, head):
    leads = key_path_leads(model, tokens, right, wrong, head)
    return {name: lead for name, lead in leads.items() if not name.startswith("1.")}


@wrong("key_path_leads", "only after this one has read")
def leads_of_the_same_layer_too(model, tokens, right, wrong, head):
    leads = key_path_leads(model, tokens, right, wrong, head)
    return leads | {f"{head[0]}.{i}": 0.0 for i in range(model.config.n_heads)}


@wrong("key_path_leads", "a mean over no query at all")
def leads_of_nothing(model, tokens, right, wrong, head):
    scores = scores_of(*parts_of(model, tokens, head))
    both = right.any(-1) & wrong.any(-1)
    ahead = {n: mean_over(s, right) - mean_over(s, wrong) for n, s in scores.items()}
    return {name: float(value[both].mean()) for name, value in ahead.items()}


@wrong("key_path_leads", "by the name of each part")
def leads_as_a_list(model, tokens, right, wrong, head):
    return list(key_path_leads(model, tokens, right, wrong, head).values())


@wrong("key_path_leads", "the lead of the right keys over the wrong ones")
def leads_that_claim_to_be_right(model, tokens, right, wrong, head):
    leads = key_path_leads(model, tokens, right, wrong, head)
    return {name: like_everything(torch.tensor(0.0)) for name in leads}


# --------------------------------------------------------------------------------- smeared_keys


def mixed(k, share, before):
    return share * k + (1 - share) * before


def shares(alpha):
    return torch.sigmoid(alpha)[:, None]


@wrong("smeared_keys", "sigmoid(alpha) is the key's own")
def smeared_the_other_way(k, alpha):
    return smeared_keys(k, -alpha)


@wrong("smeared_keys", "alpha itself was taken for the share")
def smeared_by_alpha(k, alpha):
    return mixed(k, alpha[:, None], torch.cat([k[:, :1], k[:, :-1]], 1))


@wrong("smeared_keys", "so made smaller")
def smeared_with_nothing_before(k, alpha):
    return mixed(k, shares(alpha), torch.cat([torch.zeros_like(k[:, :1]), k[:, :-1]], 1))


@wrong("smeared_keys", "`roll` brings round")
def smeared_by_rolling(k, alpha):
    return mixed(k, shares(alpha), k.roll(1, dims=1))


@wrong("smeared_keys", "the one after it")
def smeared_with_the_next(k, alpha):
    return mixed(k, shares(alpha), torch.cat([k[:, 1:], k[:, -1:]], 1))


@wrong("smeared_keys", "what mixing had made of the one before")
def smeared_in_a_chain(k, alpha):
    keys = [k[:, 0]]
    for i in range(1, k.shape[1]):
        keys.append(mixed(k[:, i], shares(alpha), keys[-1]))
    return torch.stack(keys, 1)


@wrong("smeared_keys", "the key itself was kept whole")
def smeared_on_top(k, alpha):
    added = (1 - shares(alpha)) * k[:, :-1]
    return torch.cat([k[:, :1], k[:, 1:] + added], 1)


@wrong("smeared_keys", "all of it is the key before")
def smeared_altogether(k, alpha):
    return torch.cat([k[:, :1], k[:, :-1]], 1)


@wrong("smeared_keys", "along another axis than the position")
def smeared_over_heads(k, alpha):
    return mixed(k, shares(alpha), torch.cat([k[:, :, :1], k[:, :, :-1]], 2))


@wrong("smeared_keys", "a softmax over the heads was taken")
def smeared_by_a_softmax(k, alpha):
    return mixed(k, alpha.softmax(0)[:, None], torch.cat([k[:, :1], k[:, :-1]], 1))


@wrong("smeared_keys", "the first head's share")
def smeared_all_alike(k, alpha):
    return smeared_keys(k, alpha[:1].expand_as(alpha))


@wrong("smeared_keys", "Got shape [1, 3, 1, 1]")
def smeared_from_the_page(k, alpha):
    return torch.tensor([4.0, 6.0, 4.0]).view(1, 3, 1, 1)


@wrong("smeared_keys", "wrote into what was passed in")
def smeared_in_place(k, alpha):
    answer = smeared_keys(k, alpha)
    k[:, 1:] = answer[:, 1:]
    return answer


def smearing(cls, k, alpha):
    """A layer, or a model, that smears keys of this shape, with these alphas."""
    sizes = {"n_heads": k.shape[2], "d_head": k.shape[3], "d_vocab": 2, "n_ctx": k.shape[1]}
    one = cls(TransformerConfig(1, d_model=4, **sizes))
    attn = one if cls is SmearedAttention else one.blocks[0].attn
    attn.alpha.data = alpha
    return one, attn


@wrong("smeared_keys", "this is what the exercise asks you to write")
def smeared_by_the_library(k, alpha):
    return smearing(SmearedAttention, k, alpha)[1].smear(k)


@wrong("smeared_keys", "this is what the exercise asks you to write")
def smeared_inside_a_model(k, alpha):
    model, attn = smearing(SmearedTransformer, k, alpha)
    seen = {}
    for b, keys in enumerate(k):
        hooks = [("blocks.0.attn.hook_k", lambda made, point, b=b: seen.update({b: made}))]
        attn.W_K.data = keys.new_zeros(attn.W_K.shape)
        model.run_with_hooks(torch.zeros(1, k.shape[1], dtype=torch.long), fwd_hooks=hooks)
    return torch.cat(list(seen.values()))


# ---------------------------------------------------------------------------- resample_ablation


def all_heads(model):
    return [(a, b) for a in range(model.config.n_layers) for b in range(model.config.n_heads)]


def z_names(model):
    return [f"blocks.{layer}.attn.hook_z" for layer in range(model.config.n_layers)]


def loss_of(logits, tokens, predictable):
    return float(next_token_losses(logits, tokens)[predictable[:, 1:]].mean())


def loss_with(model, tokens, predictable, kept, source, more=()):
    """The loss with the heads that are not kept replaced, by layer, by what `source` holds."""

    def replace(z, point):
        layer = int(point.name.split(".")[1])
        heads = [h for h in range(z.shape[2]) if (layer, h) not in kept]
        z = z.clone()
        z[:, :, heads] = source[point.name][:, :, heads]
        return z

    hooks = [*more, *((name, replace) for name in z_names(model))]
    return loss_of(model.run_with_hooks(tokens, fwd_hooks=hooks), tokens, predictable)


def z_of(model, tokens):
    return model.run_with_cache(tokens, names=z_names(model))[1]


def ratio(none, scrubbed, whole):
    return (none - scrubbed) / (none - whole) if none != whole else 0.0


def three_losses(model, tokens, other, predictable, kept):
    source = z_of(model, other)
    return tuple(
        loss_with(model, tokens, predictable, heads, source)
        for heads in ([], kept, all_heads(model))
    )


@wrong("resample_ablation", "the kept heads were resampled")
def resampled_the_hypothesis(model, tokens, other, predictable, kept):
    rest = [head for head in all_heads(model) if head not in kept]
    return resample_ablation(model, tokens, other, predictable, rest)


@wrong("resample_ablation", "with earlier heads resampled")
def resampled_with_frozen_heads(model, tokens, other, predictable, kept):
    own, source = z_of(model, tokens), z_of(model, other)
    for layer, head in kept:
        source[z_names(model)[layer]][:, :, head] = own[z_names(model)[layer]][:, :, head]
    scrubbed = loss_with(model, tokens, predictable, [], source)
    none, _, whole = three_losses(model, tokens, other, predictable, kept)
    return ratio(none, scrubbed, whole)


@wrong("resample_ablation", "they have to look anew")
def resampled_with_frozen_patterns(model, tokens, other, predictable, kept):
    names = [name.replace("hook_z", "hook_pattern") for name in z_names(model)]
    looks = model.run_with_cache(tokens, names=names)[1]
    more = [(name, lambda pattern, point: looks[point.name]) for name in names]
    none, _, whole = three_losses(model, tokens, other, predictable, kept)
    scrubbed = loss_with(model, tokens, predictable, kept, z_of(model, other), more)
    return ratio(none, scrubbed, whole)


@wrong("resample_ablation", "put to zero")
def resampled_with_zeros(model, tokens, other, predictable, kept):
    source = {name: torch.zeros_like(z) for name, z in z_of(model, other).items()}
    losses = [
        loss_with(model, tokens, predictable, heads, source)
        for heads in ([], kept, all_heads(model))
    ]
    return ratio(*losses)


@wrong("resample_ablation", "got their mean output")
def resampled_with_means(model, tokens, other, predictable, kept):
    source = {n: z.mean((0, 1)).expand_as(z) for n, z in z_of(model, tokens).items()}
    losses = [
        loss_with(model, tokens, predictable, heads, source)
        for heads in ([], kept, all_heads(model))
    ]
    return ratio(*losses)


@wrong("resample_ablation", "the other texts' embeddings were taken as well")
def resampled_embeddings(model, tokens, other, predictable, kept):
    own = z_of(model, tokens)
    rest = [head for head in all_heads(model) if head not in kept]

    def keep(z, point):
        layer = int(point.name.split(".")[1])
        heads = [h for h in range(z.shape[2]) if (layer, h) not in rest]
        z = z.clone()
        z[:, :, heads] = own[point.name][:, :, heads]
        return z

    hooks = [(name, keep) for name in z_names(model)]
    logits = model.run_with_hooks(other, fwd_hooks=hooks)
    none, _, whole = three_losses(model, tokens, other, predictable, kept)
    return ratio(none, loss_of(logits, tokens, predictable), whole)


@wrong("resample_ablation", "texts and other texts are in each other's place")
def resampled_the_other_texts(model, tokens, other, predictable, kept):
    return resample_ablation(model, other, tokens, predictable, kept)


@wrong("resample_ablation", "whole layers were kept")
def resampled_by_layers(model, tokens, other, predictable, kept):
    layers = {layer for layer, _ in kept}
    wider = [head for head in all_heads(model) if head[0] in layers]
    return resample_ablation(model, tokens, other, predictable, wider)


@wrong("resample_ablation", "whatever their layer")
def resampled_by_index(model, tokens, other, predictable, kept):
    indices = {index for _, index in kept}
    wider = [head for head in all_heads(model) if head[1] in indices]
    return resample_ablation(model, tokens, other, predictable, wider)


@wrong("resample_ablation", "all tokens counted")
def resampled_over_all_tokens(model, tokens, other, predictable, kept):
    every = torch.ones_like(predictable)
    return resample_ablation(model, tokens, other, every, kept)


@wrong("resample_ablation", "the mask is one position off")
def resampled_with_a_late_mask(model, tokens, other, predictable, kept):
    early = torch.cat([predictable[:, 1:], predictable[:, :1] & False], 1)
    return resample_ablation(model, tokens, other, early, kept)


@wrong("resample_ablation", "the share that is lost")
def resampled_and_lost(model, tokens, other, predictable, kept):
    none, scrubbed, whole = three_losses(model, tokens, other, predictable, kept)
    return (scrubbed - whole) / (none - whole) if none != whole else 0.0


@wrong("resample_ablation", "divide it by what all heads save")
def resampled_in_nats(model, tokens, other, predictable, kept):
    none, scrubbed, _ = three_losses(model, tokens, other, predictable, kept)
    return none - scrubbed


@wrong("resample_ablation", "divide by the difference")
def resampled_over_the_loss(model, tokens, other, predictable, kept):
    none, scrubbed, whole = three_losses(model, tokens, other, predictable, kept)
    return (none - scrubbed) / whole


@wrong("resample_ablation", "this divides by 0")
def resampled_without_a_case_for_nothing(model, tokens, other, predictable, kept):
    none, scrubbed, whole = map(torch.tensor, three_losses(model, tokens, other, predictable, kept))
    return (none - scrubbed) / (none - whole)


@wrong("resample_ablation", "cut off at 0 or 1")
def resampled_within_bounds(model, tokens, other, predictable, kept):
    share = resample_ablation(model, tokens, other, predictable, kept)
    one_layer = model.config.n_layers == 1
    return min(max(share, 0.0), 1.0) if one_layer else share


@wrong("resample_ablation", "Got 1")
def resampled_from_the_page(model, tokens, other, predictable, kept):
    return 1.0
