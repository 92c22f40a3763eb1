"""A reader of the lessons' formulas: LaTeX in, numbers out, so that what is written is what is tested.

It understands what the lessons write: one equation a block, sums, products, fractions, roots, powers, exp and log,
squared lengths |...|^2, and names with bars, hats and indices. A letter with its index is one name: \\bar\\alpha_t.
Under \\sum_{i=1}^{N} a name with the index i stands for the i-th value of the list given for it.
"""

import math
import re

import torch

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+\.?\d*|[A-Za-z]|[-+=()\[\]{}^_|,./]")
SPACES = {r"\,", r"\;", r"\:", r"\!", r"\quad", r"\left", r"\right", r"\cdot", r"\big", r"\Big", r"\bigl", r"\bigr"}
ACCENTS = {r"\bar", r"\hat", r"\tilde"}
ENDS = {"+", "-", "=", ")", "]", "}", r"\rVert", ",", "."}
FUNCTIONS = {r"\exp": torch.exp, r"\log": torch.log}
LETTERS = {r"\alpha", r"\beta", r"\gamma", r"\epsilon", r"\sigma", r"\eta", r"\theta", r"\varnothing", r"\lambda",
           r"\mu"}


def sides(latex: str, values: dict) -> list[torch.Tensor]:
    """All sides of an equation as numbers; `values` gives each name, such as r"\\bar\\alpha_t", its number or list."""
    reader = _Reader(latex)
    found = [reader.sum()]
    while reader.take("="):
        found.append(reader.sum())
    reader.take("."), reader.take(",")
    if reader.token is not None:
        raise ValueError(f"cannot read {reader.token!r} in {latex!r}")
    return [torch.as_tensor(side(dict(values)), dtype=torch.float64) for side in found]


class _Reader:
    """Recursive descent; every method returns a function from the names' values to a number."""

    def __init__(self, latex: str):
        left = TOKEN.sub("", latex).strip()
        if left:
            raise ValueError(f"cannot read {left!r} in {latex!r}")
        self.tokens = [t for t in TOKEN.findall(latex) if t not in SPACES]
        self.bars = 0  # how many |...| are open

    @property
    def token(self):
        return self.tokens[0] if self.tokens else None

    def next(self) -> str:
        return self.tokens.pop(0)

    def take(self, token: str) -> bool:
        return bool(self.tokens) and self.token == token and bool(self.next())

    def need(self, token: str) -> None:
        if not self.take(token):
            raise ValueError(f"expected {token!r} before {' '.join(self.tokens[:5])!r}")

    def sum(self):
        minus = self.take("-")
        first = self.product()
        terms = [(-1 if minus else 1, first)]
        while self.token in ("+", "-"):
            sign = 1 if self.next() == "+" else -1
            terms.append((sign, self.product()))
        return lambda v: sum(sign * term(v) for sign, term in terms)

    def product(self):
        factors = [self.power()]
        while self.token is not None and self.token not in ENDS and not (self.token == "|" and self.bars):
            if self.take("/"):
                divisor = self.power()
                factors.append(lambda v, d=divisor: 1 / d(v))
            else:
                factors.append(self.power())

        def value(v):
            result = 1.0
            for factor in factors:
                result = result * factor(v)
            return result

        return value

    def power(self):
        base = self.atom()
        if not self.take("^"):
            return base
        exponent = self.argument()
        return lambda v: base(v) ** exponent(v)

    def argument(self):
        if self.take("{"):
            inside = self.sum()
            self.need("}")
            return inside
        return self.atom()

    def atom(self):
        token = self.next()
        if re.match(r"\d", token):
            return lambda v: float(token)
        if token in ("(", "[", "{"):
            inside = self.sum()
            self.need({"(": ")", "[": "]", "{": "}"}[token])
            return inside
        if token in ("|", r"\lVert"):
            return self.length(token)
        if token == r"\frac":
            above, below = self.argument(), self.argument()
            return lambda v: above(v) / below(v)
        if token == r"\sqrt":
            inside = self.argument()
            return lambda v: inside(v) ** 0.5
        if token in FUNCTIONS:
            base = math.log(float(self.index().strip("{}"))) if self.take("_") else 1.0  # \\log_{10}
            inside = self.argument()
            return lambda v: FUNCTIONS[token](torch.as_tensor(inside(v), dtype=torch.float64)) / base
        if token in (r"\sum", r"\prod"):
            return self.series(token)
        return self.name(token)

    def length(self, opening: str):
        self.bars += opening == "|"
        inside = self.sum()
        self.need("|" if opening == "|" else r"\rVert")
        self.bars -= opening == "|"
        return lambda v: (inside(v) ** 2).sum() ** 0.5

    def series(self, kind: str):
        """\\sum_{i=1}^{N} or \\prod_{s=1}^{t} over the product that follows."""
        self.need("_"), self.need("{")
        index = self.next()
        self.need("=")
        first = self.sum()
        self.need("}"), self.need("^")
        last = self.argument()
        body = self.product()

        def value(v):
            total = 0.0 if kind == r"\sum" else 1.0
            for k in range(int(first(v)), int(last(v)) + 1):
                term = body({**v, ("index", index): k})
                total = total + term if kind == r"\sum" else total * term
            return total

        return value

    def name(self, token: str):
        if token in ACCENTS:
            braced = self.take("{")
            base = f"{token} {self.next()}" if self.token[0] != "\\" else f"{token}{self.next()}"
            if braced:
                self.need("}")
        elif token in (r"\mathrm", r"\text"):
            self.need("{")
            base = ""
            while not self.take("}"):
                base += self.next()
        elif token in LETTERS or token.isalpha():
            base = token
        else:
            raise ValueError(f"a letter was expected, one of {sorted(LETTERS)}; {token!r} came; write one of these, or "
                             "enter it in LETTERS")
        index = self.index() if self.take("_") else ""

        def value(v):
            if ("index", index) in v:
                return v[f"{base}_*"][v["index", index] - 1]
            return v[f"{base}_{index}" if index else base]

        return value

    def index(self) -> str:
        if not self.take("{"):
            return self.next()
        parts = ""
        while not self.take("}"):
            token = self.next()
            parts += "" if token in (r"\mathrm", r"\text", "{") else token
            if token in (r"\mathrm", r"\text"):
                self.need("{")
                while not self.take("}"):
                    parts += self.next()
        return parts if len(parts) == 1 or parts.startswith("\\") and parts.count("\\") == 1 else f"{{{parts}}}"
