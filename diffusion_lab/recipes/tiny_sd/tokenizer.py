"""Tiny SD's tokenizer: CLIP's byte-pair encoding in which every known word is one token."""

import itertools
import json
import re
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import CLIPTokenizer

from ...worlds.scenes import known_words

START, END, LENGTH = "<|startoftext|>", "<|endoftext|>", 24


def merges_for(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Merges, in order of rank, after which byte-pair encoding makes one token of every word."""
    merges: list[tuple[str, str]] = []
    for word in sorted(words, key=lambda w: (len(w), w)):
        pieces = pieces_of(word, merges)
        while len(pieces) > 1:  # only what earlier merges have left apart
            merges.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
    return merges


def pieces_of(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Byte-pair encoding: again and again, the pair of neighbours with the lowest rank becomes one piece."""
    rank = {pair: k for k, pair in enumerate(merges)}
    pieces = [*word[:-1], word[-1] + "</w>"]
    while len(pieces) > 1:
        pairs = list(itertools.pairwise(pieces))
        best = min(pairs, key=lambda pair: rank.get(pair, len(rank)))
        if best not in rank:
            break
        k = pairs.index(best)
        pieces[k : k + 2] = ["".join(best)]
    return pieces


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Tokens by name (all bytes, all bytes at a word's end, one for each merge, start and end), and the merges."""
    merges = merges_for(known_words())
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    return {token: k for k, token in enumerate(dict.fromkeys(tokens))}, merges


def save_tokenizer(folder: Path) -> CLIPTokenizer:
    """Writes the tokenizer in the standard layout and loads it back."""
    folder.mkdir(parents=True, exist_ok=True)
    vocab, merges = vocabulary()
    pairs = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text(pairs, encoding="utf-8", newline="\n")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2), encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)


class WordTokens:
    """What the tokenizer gives for captions of known words, by looking the words up (many times faster)."""

    def __init__(self):
        self.vocab, _ = vocabulary()

    def __call__(self, captions: list[str]) -> Tensor:
        """Tokens int64 (B, 24): start, the words and points, then end to the last place."""
        rows = torch.full((len(captions), LENGTH), self.vocab[END])
        for row, text in zip(rows, captions, strict=True):
            words = [self.vocab[word + "</w>"] for word in re.findall(r"[a-z]+|[.,]", text.lower())]
            row[: len(words) + 1] = torch.tensor([self.vocab[START], *words])[:LENGTH]
        return rows
