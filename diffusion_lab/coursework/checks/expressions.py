"""Slips within one expression: a function a slip, from a node of a syntax tree to the better one, or None."""

import ast


def _is(node: ast.AST, kind: type) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, kind)


def _half_power(node):
    """a**1/2 as a**0.5, also behind a factor: x / a**1/2 as x / a**0.5."""
    if not _is(node, ast.Div) or getattr(node.right, "value", None) != 2:
        return None
    factor = node.left if _is(node.left, ast.Div) or _is(node.left, ast.Mult) else None
    root = _power(1, 0.5)(factor.right if factor else node.left)
    return root and ast.BinOp(factor.left, factor.op, root) if factor else root


def root_call(node):
    """sqrt(a) as a**0.5."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        if (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) == "sqrt":
            return ast.BinOp(node.args[0], ast.Pow(), ast.Constant(0.5))
    return None


def _numerator(node):
    """a - b / c as (a - b) / c."""
    if (_is(node, ast.Sub) or _is(node, ast.Add)) and _is(node.right, ast.Div):
        return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), ast.Div(), node.right.right)
    return None


def _denominator(node):
    """a / b * c as a / (b * c), and a / b + c as a / (b + c)."""
    if isinstance(node, ast.BinOp) and _is(node.left, ast.Div):
        return ast.BinOp(node.left.left, ast.Div(), ast.BinOp(node.left.right, node.op, node.right))
    return None


def _factor(node):
    """a * b + c as a * (b + c), and a + b * c as (a + b) * c."""
    if not (_is(node, ast.Sub) or _is(node, ast.Add)):
        return None
    if _is(node.left, ast.Mult):
        return ast.BinOp(node.left.left, ast.Mult(), ast.BinOp(node.left.right, node.op, node.right))
    if _is(node.right, ast.Mult):
        return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), ast.Mult(), node.right.right)
    return None


def _into_the_power(square: bool):
    """a - b**2 as (a - b)**2; not for a square, 1 - a**0.5 as (1 - a)**0.5."""
    def site(node):
        if (_is(node, ast.Sub) or _is(node, ast.Add)) and _is(node.right, ast.Pow):
            if (getattr(node.right.right, "value", None) == 2) == square:
                return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), ast.Pow(), node.right.right)
        return None
    return site


def _one_minus(node):
    """p + 1 - a * b as p + (1 - a) * b, and p + 1 - a**0.5 * b as p + (1 - a)**0.5 * b."""
    if not (_is(node, ast.Sub) and _is(node.right, ast.Mult)):
        return None
    factor, joined = node.right.left, _is(node.left, ast.Add)
    one = node.left.right if joined else node.left
    less = (ast.BinOp(ast.BinOp(one, ast.Sub(), factor.left), ast.Pow(), factor.right) if _is(factor, ast.Pow) else
            ast.BinOp(one, ast.Sub(), factor))
    product = ast.BinOp(less, ast.Mult(), node.right.right)
    return ast.BinOp(node.left.left, ast.Add(), product) if joined else product


def _into_the_root(node):
    """a**0.5 - b as (a - b)**0.5."""
    if (_is(node, ast.Sub) or _is(node, ast.Add)) and _is(node.left, ast.Pow):
        return ast.BinOp(ast.BinOp(node.left.left, node.op, node.right), ast.Pow(), node.left.right)
    return None


def _squared_into_the_root(node):
    """a**0.5 - b as (a - b**2)**0.5."""
    whole = _into_the_root(node)
    return whole and ast.BinOp(_squared(whole.left), ast.Pow(), whole.right)


def _squared(node):
    """a - b as a - b**2; b is no number, for that of a small one is next to nothing."""
    if (_is(node, ast.Sub) or _is(node, ast.Add)) and not isinstance(node.right, ast.Constant):
        return ast.BinOp(node.left, node.op, ast.BinOp(node.right, ast.Pow(), ast.Constant(2)))
    return None


def _power(exponent, better):
    def site(node):
        right = _is(node, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value == exponent
        return ast.BinOp(node.left, ast.Pow(), ast.Constant(better)) if right else None
    return site


def _summed(node):
    """a**2 as (a**2).sum()."""
    return _sum(node) if _is(node, ast.Pow) and getattr(node.right, "value", None) == 2 else None


def _sum(node):
    return ast.Call(ast.Attribute(node, "sum", ast.Load()), [], [])


def _summed_late(node):
    """a.sum()**2 as (a**2).sum()."""
    if _summed(node) and isinstance(node.left, ast.Call) and getattr(node.left.func, "attr", "") == "sum":
        inner = node.left.args[0] if node.left.args else node.left.func.value
        return _sum(ast.BinOp(inner, ast.Pow(), node.right))
    return None


def _upside_down(node):
    return ast.BinOp(node.right, ast.Div(), node.left) if _is(node, ast.Div) else None


def _other_sign(node):
    if _is(node, ast.Sub) or _is(node, ast.Add):
        return ast.BinOp(node.left, ast.Add() if _is(node, ast.Sub) else ast.Sub(), node.right)
    return node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else None


def _turned(node):
    """a - b as b - a."""
    return ast.BinOp(node.right, ast.Sub(), node.left) if _is(node, ast.Sub) else None


def _root_of_sum(node):
    """(a * x + b * y)**0.5 as a**0.5 * x + b**0.5 * y."""
    root = node if _power(0.5, 1)(node) else root_call(node)
    inside = root.left if root else None
    if _is(inside, ast.Add) and _is(inside.left, ast.Mult) and _is(inside.right, ast.Mult):
        one, other = (ast.BinOp(ast.BinOp(term.left, ast.Pow(), ast.Constant(0.5)), ast.Mult(), term.right)
                      for term in (inside.left, inside.right))
        return ast.BinOp(one, ast.Add(), other)
    return None


def _one_factor(node):
    """a * (x + y) as a * x + (1 - a) * y, and a**0.5 * (x + y) as a**0.5 * x + (1 - a)**0.5 * y."""
    if not (_is(node, ast.Mult) and _is(node.right, ast.Add)):
        return None
    factor = node.left
    rest = (ast.BinOp(ast.BinOp(ast.Constant(1), ast.Sub(), factor.left), ast.Pow(), factor.right)
            if _is(factor, ast.Pow) else ast.BinOp(ast.Constant(1), ast.Sub(), factor))
    return ast.BinOp(ast.BinOp(factor, ast.Mult(), node.right.left), ast.Add(),
                     ast.BinOp(rest, ast.Mult(), node.right.right))


def _half(node):
    """a * 0.5 as a**0.5, also behind a factor: a * b * 0.5 as a * b**0.5."""
    if not _is(node, ast.Mult) or getattr(node.right, "value", None) != 0.5:
        return None
    of = node.left.right if _is(node.left, ast.Mult) else node.left
    root = ast.BinOp(of, ast.Pow(), node.right)
    return root if of is node.left else ast.BinOp(node.left.left, ast.Mult(), root)


def _divided(node):
    """a * b as a / b."""
    return ast.BinOp(node.left, ast.Div(), node.right) if _is(node, ast.Mult) else None


def _noise_of_guess(node):
    """.eps_uncond as .eps."""
    return ast.Attribute(node.value, "eps", ast.Load()) if getattr(node, "attr", "") == "eps_uncond" else None


def _stacked(node):
    """torch.softmax([a, b]) as torch.softmax(torch.stack([a, b]))."""
    torch = isinstance(node, ast.Call) and getattr(getattr(node.func, "value", None), "id", "") == "torch"
    if torch and node.func.attr != "stack" and node.args and isinstance(node.args[0], ast.List | ast.ListComp):
        stack = ast.Call(ast.Attribute(node.func.value, "stack", ast.Load()), node.args[:1], [])
        return ast.Call(node.func, [stack, *node.args[1:]], node.keywords)
    return None


def _product(node):
    """2(a) as 2 * a."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        plain = isinstance(node.func, ast.Constant | ast.BinOp | ast.Name)
        return ast.BinOp(node.func, ast.Mult(), node.args[0]) if plain else None
    return None


def _power_times(node):
    """a**2(b) as a**2 * b."""
    called = _is(node, ast.Pow) and isinstance(node.right, ast.Call) and isinstance(node.right.func, ast.Constant)
    if called and len(node.right.args) == 1:
        return ast.BinOp(ast.BinOp(node.left, ast.Pow(), node.right.func), ast.Mult(), node.right.args[0])
    return None


def _round(node):
    """f[a] as f(a)."""
    read = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
    return ast.Call(node.value, [node.slice], []) if read else None


def _as_it_was(node):
    """a[::-1], reversed(a) or sorted(a) as a."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "::-1":
        return node.value
    turns = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("reversed", "sorted")
    return node.args[0] if turns and node.args else None


def _not_cut_off(node):
    """a.clamp(0, 1) as a."""
    name = getattr(getattr(node, "func", None), "attr", "")
    if name in ("clamp", "clip", "clamp_", "clip_"):
        of = node.func.value
        return node.args[0] if getattr(of, "id", "") in ("torch", "np", "numpy") else of
    return None


def _swapped(i, j):
    """A call with two of its arguments exchanged."""
    def site(node):
        if not isinstance(node, ast.Call) or len(node.args) <= j:
            return None
        given = list(node.args)
        given[i], given[j] = given[j], given[i]
        return ast.Call(node.func, given, node.keywords)
    return site


def _results(node):
    """return a, b as return b, a."""
    pair = isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple | ast.List) and len(node.value.elts) == 2
    return ast.Return(ast.Tuple(node.value.elts[::-1], ast.Load())) if pair else None


def _bracketed(node):
    """[a] as a."""
    return node.elts[0] if isinstance(node, ast.List) and len(node.elts) == 1 else None


def _comma(node):
    """a, b as a + b; a lone a, as a."""
    several = isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load)
    if several and 1 <= len(node.elts) <= 2:
        return node.elts[0] if len(node.elts) == 1 else ast.BinOp(node.elts[0], ast.Add(), node.elts[1])
    return None


BRACKET = ("{code} is read in another order than you mean: `**` first, then `*` and `/`, then `+` and `-`. Put "
           "brackets around ")
EXPRESSIONS = (
    ("a power of one, divided by two", "{code} is first a power and then a half. The root is `a**0.5`.", _half_power),
    ("a root that does not take this", "{code}: that root takes only tensors, or only numbers, and the other kind "
     "comes. `a**0.5` is the root of both.", root_call),
    ("brackets are missing", BRACKET + "all that is divided.", _numerator),
    ("brackets are missing", BRACKET + "all that you divide by.", _denominator),
    ("brackets are missing", BRACKET + "the sum.", _factor),
    ("brackets are missing", BRACKET + "all that is squared.", _into_the_power(square=True)),
    ("brackets are missing", BRACKET + "what stands under the root.", _into_the_power(square=False)),
    ("brackets are missing", BRACKET + "the difference.", _one_minus),
    ("brackets are missing", BRACKET + "all that stands under the root.", _into_the_root),
    ("results that changed places", "{code}: the two have changed places.", _results),
    ("a list of one", "{code}: square brackets make a list. Hand back what is in them.", _bracketed),
    ("a comma", "{code}: a comma makes several things of one. Was a `+` meant, or nothing at all?", _comma),
    ("a `*` is missing", "{code}: brackets right behind something call it like a function. A product is written `*`.",
     _product),
    ("a `*` is missing", "{code}: brackets right behind a number call it like a function. A product is written `*`.",
     _power_times),
    ("square brackets for a call", "{code}: square brackets look something up in a list; a function is called with "
     "round ones.", _round),
    ("the other order", "{code}: this turns the order, and it was right before.", _as_it_was),
    *(("two arguments changed places", "{code}: two of the things that it is given have changed places.",
       _swapped(*pair)) for pair in ((0, 1), (1, 2), (2, 3), (0, 2))),
    ("a half for a root", "{code} is a half. A root is written `**0.5`, with two stars.", _half),
    ("a square for a root", "{code} is a square. A root is written `**0.5`.", _power(2, 0.5)),
    ("a root for a square", "{code} is a root. A square is written `**2`.", _power(0.5, 2)),
    ("added up before it is squared", "{code}: each difference is squared first, then all squares are added up.",
     _summed_late),
    ("nothing is added up", "{code} is one square for each number. Their sum is wanted: `.sum()`.", _summed),
    ("a square is missing", "{code}: sizes add up in squares, and one of these is none.", _squared),
    ("brackets are missing", "{code}: what is left out belongs under the root, as a square.", _squared_into_the_root),
    ("a fraction upside down", "{code} is the wrong way round.", _upside_down),
    ("the root of the whole", "{code}: a root of a sum is not the sum of the roots; each factor has one of its own.",
     _root_of_sum),
    ("one factor for both", "{code}: the two share one factor, and each has its own.", _one_factor),
    ("a `*` for a `/`", "{code}: is this multiplied, or divided?", _divided),
    ("the guess without the prompt", "{code} is the guess without the prompt, where there is one. The noise to take "
     "out is `.eps`.", _noise_of_guess),
    ("a list for a tensor", "{code} gets a list, and torch's functions take a tensor: `torch.stack(...)` makes one of "
     "it.", _stacked),
    ("cut off", "{code} cuts off what is larger or smaller. Here all of it is needed.", _not_cut_off),
    ("a difference the wrong way round", "{code}: which of the two is taken from which?", _turned),
    ("a wrong sign", "{code}: a sign in it is turned.", _other_sign),
)
