"""What a notebook was built from: the files of the package that its kernel loaded, showed or read, as fingerprints."""

import ast
import hashlib
import io
import tokenize
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "diffusion_lab"
PUT_IN = {".js", ".css"}  # scripts and styles are put into a stored notebook without running it

# Run in the kernel before the first cell and after the last: which files of the package it loads, shows or reads.
WATCH = """def _watched(found):
    import sys
    sys.lesson_files = found
    sys.addaudithook(lambda event, args: found.add(str(args[0])) if event == "open" else None)
_watched(set())
del _watched"""
TELL = f"""import json, linecache, os, sys
def own(names):
    paths = {{os.path.abspath(name) for name in names if name and not name.startswith("<")}}
    return sorted(path for path in paths if path.startswith({str(PACKAGE)!r} + os.sep) and os.path.isfile(path))
print(json.dumps({{
    "loaded": own(getattr(module, "__file__", None) for module in list(sys.modules.values())),
    "shown": own(name for name, lines in linecache.cache.items() if len(lines) > 1),
    "read": own(sys.lesson_files)}}, indent=0))"""


def digest_of(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:12]


def code_of(source: str) -> str:
    """Python without comments, docstrings and empty lines: what it does. Within a string every blank counts."""
    lines, inside = source.splitlines(), set()  # the lines that end within a string
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
        inside |= set(range(token.start[0], token.end[0]))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            if not lines[first.lineno - 1].encode()[: first.col_offset].strip():  # a line of its own
                lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
                inside -= set(range(first.lineno, first.end_lineno + 1))
    numbered = list(enumerate(lines, 1))
    return "\n".join(line if k in inside else line.rstrip() for k, line in numbered if k in inside or line.strip())


def print_of(path: Path, shown: bool) -> str:
    """A file's fingerprint: of what a module does, or, where its source is `shown` to the learner, of its text."""
    if path.is_dir():
        return digest_of("".join(f"{p.name} {digest_of(p.read_bytes())} " for p in sorted(path.rglob("*.*"))))
    if path.suffix != ".py" or shown:
        return digest_of(path.read_bytes())
    return digest_of(code_of(path.read_text(encoding="utf-8")))


def prints(notebook: nbformat.NotebookNode, files: dict[str, list[str]]) -> dict[str, str]:
    """The fingerprint of all that an executed notebook depends on; of weights, the whole folder of a model."""
    loaded, shown, read = ({Path(name) for name in files[kind]} for kind in ("loaded", "shown", "read"))
    read = {path for path in read if path.suffix not in {".py", ".pyc", ".pyi", *PUT_IN}}
    weights = {PACKAGE / "weights" / path.relative_to(PACKAGE).parts[1] for path in read if "weights" in path.parts}
    paths = loaded | weights | {path for path in read if "weights" not in path.parts}
    found = {path.relative_to(ROOT).as_posix(): print_of(path, path in shown) for path in sorted(paths)}
    return {"its code": code_print(notebook), "constraints.txt": print_of(ROOT / "constraints.txt", True), **found}


def code_print(notebook: nbformat.NotebookNode) -> str:
    return digest_of("\0".join(f"{c.source} {c.metadata.get('tags')}" for c in notebook.cells if c.cell_type == "code"))


def changed(fresh: nbformat.NotebookNode, old: nbformat.NotebookNode) -> list[str]:
    """What a stored notebook was built from and is another now: files, "its code", or ["no record"] of it."""
    before = old.metadata.get("built", {}).get("from")
    if not before:
        return ["no record"]

    def same(name: str, known: str) -> bool:
        if name == "its code":
            return known == code_print(fresh)
        path = ROOT / name
        return path.exists() and known in (print_of(path, False), print_of(path, True))

    return [name for name, known in before.items() if not same(name, known)]
