"""Names that load when they are first used, so that an import costs nothing.

The list stands once, in the stub __init__.pyi beside a package's __init__.py, where editors read it too. Everything
here is Python's own: the package can be imported, and say what is missing, where nothing else is installed.
"""

import ast
import importlib
import sys


def lazily(package: str, file: str):
    """What a package's __init__.py assigns to __getattr__, __dir__ and __all__: `lazily(__name__, __file__)`.

    The stub holds lines such as `from .mixing import add_noise as add_noise`, and `from . import toy as toy` for a
    module. __all__ holds the former.
    """
    with open(file + "i", encoding="utf-8") as stub:
        lines = [node for node in ast.parse(stub.read()).body if isinstance(node, ast.ImportFrom)]
    home = {alias.name: node.module for node in lines for alias in node.names}

    def load(name: str):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(home))}")
        module = home[name]
        if module is None:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(f"{package}.{module}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list:
        return sorted({*vars(sys.modules[package]), *home})

    return load, names, sorted(name for name, module in home.items() if module is not None)
