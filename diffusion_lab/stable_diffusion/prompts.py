"""What a model reads of a prompt: its tokens, or one sentence about the words it cannot read."""

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
        near = [like for word in unknown[:8] if (like := nearest(word, names(known)))]
        hint = f"try {' or '.join(dict.fromkeys(near))}; " if near else ""
        verb = "is" if len(unknown) == 1 else "are"
        raise LabError(f"{told(unknown)} {verb} not in {name}'s world; {hint}it knows: {', '.join(to_draw(known))}")


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that is most like one, or "" where none is; one or two letters are like everything."""
    word = word[:40]
    if len(word) < 3:
        return ""
    like = min(known, key=lambda other: distance(word, other), default="")
    return like if distance(word, like) <= max(1, (len(word) - 1) / 3) else ""


def distance(a: str, b: str) -> int:
    """How many letters have to be put in, taken out, changed or swapped with the next one to make one word of another
    (Damerau, 1964; each place is touched once)."""
    above, row = [], list(range(len(b) + 1))
    for i, letter in enumerate(a):
        before, above, row = above, row, [i + 1]
        for j, other in enumerate(b):
            row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (letter != other)))
            if i and j and letter == b[j - 1] and a[i - 1] == other:
                row[-1] = min(row[-1], before[j - 1] + 1)
    return row[-1]


def to_draw(known: Sequence[str]) -> list[str]:
    """Of the words of a small world those that name what is drawn, so that they can be read at a glance; else all."""
    return [word for words in kinds(known).values() for word in words]


def names(known: Sequence[str]) -> list[str]:
    """These and their other names: "dogs", "puppy"."""
    return [name for words in kinds(known).values() for word, (_, *others) in words.items() for name in (word, *others)]


def kinds(known: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The words to draw by kind, each with how a prompt says it and its other names; all as one kind where the world
    is another one."""
    every = scenes.words_by_kind().items()
    named = {kind: {word: [say, *(other for other in others if other in known)]
                    for word, (say, *others) in words.items() if word in known} for kind, words in every}  # fmt: skip
    return {kind: words for kind, words in named.items() if words} or {"word": {word: [word] for word in known}}


def _check_length(tokenizer, prompt: str, longest: int, name: str) -> None:
    ids = tokenizer.encode(prompt)
    if len(ids) > longest:
        cut = tokenizer.decode(ids[longest - 1 : -1], clean_up_tokenization_spaces=False).strip()
        raise LabError(f"{name} reads a prompt of at most {longest - 2} tokens; {len(ids) - 2} came; "
                       f"shorten it, for the end would be cut: {shortened(cut)}")  # fmt: skip
