"""Where the words of a prompt act: the cross-attention of any Stable Diffusion, listened to while it draws.

In a cross-attention layer each place of the picture asks, and each token of the prompt answers: with queries Q
(places, d), keys K and values V (tokens, d), A = softmax(Q K^T / sqrt(d)) and the layer hands on A V (Vaswani et al.,
"Attention Is All You Need", 2017, equation 1; with a prompt: Rombach et al., "High-Resolution Image Synthesis with
Latent Diffusion Models", 2022, section 3.3). A's column of a word, laid out as a picture, is the word's heat map (Tang
et al., "What the DAAM: Interpreting Stable Diffusion Using Cross Attention", 2023).
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..errors import LabError
from ..mixing import check_alike
from ..recipe import as_text, as_whole, shortened, told

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention: softmax(Q K^T / sqrt(d)) V, Vaswani et al. 2017, equation 1.

    Arguments: queries `q` (..., places, d), keys `k` (..., tokens, d), values `v` (..., tokens, m). Returns
    (..., places, m): for each place a mixture of the values, weighed by how well its query fits their keys. Raises
    LabError for tables that do not fit.
    """
    _check_asked(q, k, v)
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5                         # (..., places, tokens)
    return scores.softmax(dim=-1) @ v                                             # (..., places, m)


@contextlib.contextmanager
def looking(sd) -> Iterator[dict[str, list[Tensor]]]:
    """`with looking(sd) as looks: ...` keeps where each token is looked at, in every call of the U-Net within.

    looks[layer][call] is (B, h, w, tokens), the mean over the heads: shares in [0, 1] that add up to 1 over the
    tokens. The layers' own processors go on computing, so what is drawn is the same bit for bit, and they are back in
    their places when the block ends, also by an error. Pictures with guidance come last in the batch, after those
    without the prompt. With `attending` around it or in it, the shares are still those of the layer's own questions and
    keys. Raises LabError for what has no U-Net of diffusers.
    """
    unet, looks = _unet(sd), {}
    size = list(sd.shape[1:])

    def note_size(network, args: tuple, kwargs: dict) -> None:
        size[:] = (args[0] if args else kwargs["sample"]).shape[2:]

    def watching(layer: str, own: Callable) -> Callable:
        def note(weights: Tensor) -> None:                                        # (B, places, tokens)
            looks.setdefault(layer, []).append(weights.unflatten(1, _sides(weights.shape[1], size)).float().cpu())

        return _Watching(own, note)

    hook = unet.register_forward_pre_hook(note_size, with_kwargs=True)
    try:
        with _instead(unet, watching):
            yield looks
    finally:
        hook.remove()


@contextlib.contextmanager
def attending(sd, function: Attend) -> Iterator[None]:
    """Within this block every cross-attention of the model is computed by `function(q, k, v)`, as `attend` does it:
    q (B heads, places, d), k and v (B heads, tokens, d). Raises LabError for what is no function, and where it returns
    another shape than q's."""
    if not callable(function):
        raise LabError(f"a function of q, k and v was expected; {shortened(function)} came; write one as `attend` is")

    def within(own: Callable) -> Callable:  # who looks goes on looking
        return _Watching(within(own.own), own.note) if isinstance(own, _Watching) else _Attending(own, function)

    with _instead(_unet(sd), lambda layer, own: within(own)):
        yield


@torch.no_grad()
def heat(sd, prompt: str, word: str, *, n: int | None = None, seed: int = 0,
         guidance_scale: float | None = None) -> dict[str, Tensor]:  # fmt: skip
    """Where a path for a prompt looks at one of its words: for each layer of cross-attention (calls, h, w), one map for
    each call of the U-Net, from static to picture.

    Arguments as in `sd.steps`; a word that stands there twice, or in several pieces, is the mean of its tokens. Compare
    maps by their form, not by their size: most of the attention goes to tokens that are no word (the start).
    Raises LabError where the word is not in the prompt.
    """
    tokens, seed = token_places(sd, prompt, word), as_whole(seed, "a seed", "try 0", 0)
    with looking(sd) as looks:
        for _ in sd.steps(prompt, n=n, seed=seed, guidance_scale=guidance_scale):
            pass
    return {layer: torch.stack([call[-1][..., tokens].mean(-1) for call in calls]) for layer, calls in looks.items()}


@torch.no_grad()
def difference(sd, x_t: Tensor, t: int, prompts: list[str], others: list[str]) -> Tensor:
    """Where a noisy picture x_t (B, C, h, w) would become another one with other prompts: the size of the difference of
    the two guesses of the noise, |eps(prompt) - eps(other)|, mean over the channels, (B, h, w)."""
    eps, other = (sd.predict_noise(x_t, t, sd.condition(words)) for words in (prompts, others))
    return (eps - other).abs().mean(1)


def without(prompt: str, word: str) -> str:
    """A prompt with a word of it left out; raises LabError where it is not in it."""
    words = as_text(prompt, "a prompt").split()
    if word not in words:
        raise LabError(f"a word of the prompt was expected, one of {told(words)}; {word!r} came")
    return " ".join(one for one in words if one != word)


def finest(looks: dict[str, list[Tensor]]) -> Tensor:
    """The mean over the calls and over the layers of the finest size there is, (B, h, w, tokens). Raises LabError where
    nothing was looked at, or calls of several shapes were."""
    if not looks:
        raise LabError("a call of the model was expected inside `with looking(sd)`; none came; draw something there")
    largest = max(calls[0].shape[1] for calls in looks.values())
    finest_ones = [call for calls in looks.values() for call in calls if call.shape[1] == largest]
    if len(shapes := {tuple(call.shape) for call in finest_ones}) > 1:
        raise LabError(f"calls of one shape were expected inside `with looking(sd)`; {shortened(sorted(shapes))} came; "
                       "look at each of them in a block of its own")
    return torch.stack(finest_ones).mean(0)


def token_places(sd, prompt: str, word: str) -> list[int]:
    """The numbers of the tokens that a word has in a prompt, counted from the start token, which is 0.

    Raises LabError where the word is not in the prompt.
    """
    _unet(sd)
    tokenizer = sd.pipeline.tokenizer
    ids, wanted = (tokenizer(as_text(text, what)).input_ids[1:-1]
                   for text, what in ((prompt, "a prompt"), (word, "a word")))
    starts = [i for i in range(len(ids)) if wanted and ids[i : i + len(wanted)] == wanted]
    if not starts:
        raise LabError(f"a word of the prompt was expected, one of {told(prompt.split())}; {word!r} came")
    return [1 + i + j for i in starts for j in range(len(wanted))]


class _Watching:
    """A layer's own processor, and beside it one who notes what it attends to."""

    def __init__(self, own: Callable, note: Callable):
        self.own, self.note = own, note

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, *args, **kwargs):
        if encoder_hidden_states is not None:
            q, k, _ = _questions(attn, hidden_states, encoder_hidden_states)
            weights = attn.get_attention_scores(q, k, _mask(attn, attention_mask, k, len(hidden_states)))
            self.note(weights.unflatten(0, (len(hidden_states), -1)).mean(1))
        return self.own(attn, hidden_states, encoder_hidden_states, attention_mask, *args, **kwargs)


class _Attending:
    """A processor whose cross-attention is a function's; self-attention stays the layer's own."""

    def __init__(self, own: Callable, function: Attend):
        self.own, self.function = own, function

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, *args, **kwargs):
        if encoder_hidden_states is None:
            return self.own(attn, hidden_states, encoder_hidden_states, *args, **kwargs)
        asked = _questions(attn, hidden_states, encoder_hidden_states)
        check_alike(asked[0], mixed := self.function(*asked), "what attention returns", "q", "mix the values of v")
        mixed = attn.batch_to_head_dim(mixed)
        for layer in attn.to_out:
            mixed = layer(mixed)                                                  # (B, places, channels)
        return mixed


def _check_asked(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Raises LabError unless these are questions, keys and values."""
    shapes = [tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__ for one in (q, k, v)]
    if any(isinstance(shape, str) or len(shape) < 2 for shape in shapes) or not (
            q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2] and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]):
        raise LabError("q (places, d), k (tokens, d) and v (tokens, m) were expected; "
                       f"{', '.join(map(str, shapes))} came; print their shapes")


def _questions(attn, hidden_states: Tensor, encoder_hidden_states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B heads, places, d), keys and values (B heads, tokens, d) of a layer."""
    if attn.norm_cross:
        encoder_hidden_states = attn.norm_encoder_hidden_states(encoder_hidden_states)
    asked = attn.to_q(hidden_states), attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states)
    return tuple(map(attn.head_to_batch_dim, asked))


def _mask(attn, attention_mask: Tensor | None, k: Tensor, batch: int) -> Tensor | None:
    return None if attention_mask is None else attn.prepare_attention_mask(attention_mask, k.shape[1], batch)


@contextlib.contextmanager
def _instead(unet, other: Callable[[str, Callable], Callable]) -> Iterator[None]:
    """Put other(layer, own) in the place of each layer's own processor, and the own ones back at the end."""
    before = unet.attn_processors
    unet.set_attn_processor({name: other(name.removesuffix(".processor"), own) for name, own in before.items()})
    try:
        yield
    finally:
        unet.set_attn_processor(before)


def _sides(places: int, size: list[int]) -> tuple[int, int]:
    """Height and width of a layer that sees latents of a size in so many places: halved, rounded up, some times."""
    h, w = size
    while h * w > places:
        h, w = -(-h // 2), -(-w // 2)
    return h, w


def _unet(sd):
    unet = getattr(getattr(sd, "pipeline", None), "unet", None)
    if not hasattr(unet, "set_attn_processor"):
        raise LabError(f"a Stable Diffusion was expected; {type(sd).__name__} came; "
                       "load one, as StableDiffusion.load('tiny-sd') does")
    return unet
