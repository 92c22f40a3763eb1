"""What a model reads of a prompt: its tokens, or one sentence about the words it cannot read."""

import difflib
from collections.abc import Sequence

from torch import Tensor

from ..errors import LabError
from ..recipe import shortened, told, words_of
from ..worlds import scenes

_CLOSED = 10_000  # a vocabulary below this has no pieces to spell a new word with; CLIP's own has 49,408


def token_ids(tokenizer, prompts: Sequence[str], longest: int, name: str) -> Tensor:
    """The tokens of each prompt (B, longest), padded; raises LabError for unknown words or a prompt too long."""
    for prompt in prompts:
        _check_words(tokenizer, prompt, name)
        _check_length(tokenizer, prompt, longest, name)
    padded = tokenizer(list(prompts), padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
    return padded.input_ids                                                       # (B, longest)


def known_words(tokenizer) -> list[str] | None:
    """The words of a tokenizer with a closed world, in alphabetical order; None where any word can be spelt."""
    if len(tokenizer) >= _CLOSED:
        return None
    whole = (token.removesuffix("</w>") for token in tokenizer.get_vocab() if token.endswith("</w>"))
    return sorted(word for word in whole if word.isalpha() and (len(word) > 1 or word == "a"))


def _check_words(tokenizer, prompt: str, name: str) -> None:
    known = known_words(tokenizer)
    if known is None:
        return
    unknown = [word for word in dict.fromkeys(words_of(prompt)) if word not in known]
    if unknown:
        near = [like for word in unknown[:8] for like in difflib.get_close_matches(word[:40], known, n=2, cutoff=0.8)]
        hint = f"try {' or '.join(dict.fromkeys(near))}; " if near else ""
        verb = "is" if len(unknown) == 1 else "are"
        raise LabError(f"{told(unknown)} {verb} not in {name}'s world; {hint}it knows: {', '.join(to_draw(known))}")


def to_draw(known: list[str]) -> list[str]:
    """Of the words of a small world those that name what is drawn, so that they can be read at a glance; else all."""
    colours = (colour for chosen in scenes.SUBJECT_COLOURS.values() for colour in chosen)
    named = dict.fromkeys((*scenes.SUBJECTS, *scenes.RIDES, *scenes.PLACES, *colours))
    return [word for word in named if word in known] or known


def _check_length(tokenizer, prompt: str, longest: int, name: str) -> None:
    ids = tokenizer.encode(prompt)
    if len(ids) > longest:
        cut = tokenizer.decode(ids[longest - 1 : -1], clean_up_tokenization_spaces=False).strip()
        raise LabError(f"{name} reads a prompt of at most {longest - 2} tokens; {len(ids) - 2} came; "
                       f"shorten it, for the end would be cut: {shortened(cut)}")  # fmt: skip
