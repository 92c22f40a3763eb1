"""The house stands: floors, no cycles, what an import costs, one list of dependencies."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "diffusion_lab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

FLOORS = {
    "": 0, "errors": 0, "lazy": 0, "files": 0, "places": 0, "steps": 0, "trajectory": 0, "schedules": 0, "mixing": 0,
    "networks": 0, "packing": 0, "pixels": 0, "templates": 0, "recipe": 0, "protocol": 0, "worlds": 0,
    "noising": 1, "sampling": 1, "guidance": 1, "exact": 1, "editing": 1, "objectives": 1, "figures": 1, "controls": 1,
    "anatomy": 1, "beads": 1, "fields": 1, "sketch": 1, "touch": 1, "distillation": 1,
    "toy": 2, "stable_diffusion": 2, "training": 2, "evaluation": 2, "gan": 2,
    "player": 2,
    "coursework": 3, "recipes": 3, "commands": 3, "__main__": 3,
}  # fmt: skip
OLD_PYTHON = ["__init__.py", "__main__.py", "errors.py", "lazy.py", "commands/__init__.py", "commands/environment.py",
              "commands/lab.py", "commands/copies.py"]  # fmt: skip


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name below diffusion_lab."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path) -> list[tuple[str, bool]]:
    """What a module imports, absolute names, each with whether it happens when the module is imported."""
    here = ["diffusion_lab", *filter(None, name.split("."))]
    package = here if path.name == "__init__.py" else here[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f) if n is not f}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in late) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                full = ".".join([*target, alias.name])
                found.append((full if _is_module(full) else ".".join(target), id(node) not in late))
    return found


def _is_module(dotted: str) -> bool:
    place = ROOT.joinpath(*dotted.split("."))
    found = place.with_suffix(".py").exists() or (place / "__init__.py").exists()
    return dotted.startswith("diffusion_lab") and found


def below(dotted: str) -> str | None:
    """A name of the package without "diffusion_lab."; None for everybody else's."""
    return dotted.partition("diffusion_lab")[2].lstrip(".") if dotted.split(".")[0] == "diffusion_lab" else None


def room(name: str) -> str:
    return name.split(".")[0]


GRAPH = {name: imports(name, path) for name, path in modules().items()}


def test_every_module_has_a_floor():
    assert {room(name) for name in GRAPH} <= set(FLOORS)


def test_no_module_imports_from_a_higher_floor():
    """Late imports inside functions count as well; names that load lazily (diffusion_lab.X) are floor 0 itself."""
    wrong = [
        f"{name or 'diffusion_lab'} (floor {FLOORS[room(name)]}) imports {target} (floor {FLOORS[room(own)]})"
        for name, found in GRAPH.items()
        for target, _ in found
        if (own := below(target)) is not None and FLOORS[room(own)] > FLOORS[room(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_there_are_no_cycles():
    """Among modules, over what is imported when they are imported."""
    edges = {
        name: {own for target, at_once in found if at_once and (own := below(target)) is not None and own != name}
        for name, found in GRAPH.items()
    }

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in edges.get(name, ()):
                walk(target, (*path, name))
            done.add(name)

    done: set[str] = set()
    for name in edges:
        walk(name, ())


def test_diffusers_stays_in_its_rooms():
    heavy = {"diffusers", "transformers"}
    users = {name for name, found in GRAPH.items() for target, _ in found if room(target) in heavy}
    assert {name for name in users if not name.startswith(("stable_diffusion", "recipes.tiny_sd"))} == set()


def test_pyplot_is_imported_by_functions_only():
    early = [name for name, found in GRAPH.items() for target, at_once in found if at_once and "pyplot" in target]
    assert not early


def test_every_library_is_declared():
    """What the package imports stands in pyproject.toml under its own name or that of what brings it."""
    called = {"PIL": "pillow", "skimage": "scikit-image", "IPython": "ipykernel", "nbformat": "jupyterlab",
              "jupyter_client": "jupyterlab", "packaging": "jupyterlab", "tokenizers": "transformers",
              "huggingface_hub": "diffusers"}  # fmt: skip
    declared = {need.name for need in requirements("web")}
    used = {room(target) for found in GRAPH.values() for target, _ in found} - set(sys.stdlib_module_names)
    assert {called.get(name, name) for name in used - {"diffusion_lab", "__future__"}} <= declared


def test_every_module_is_short():
    """A module fits on a few screens: about 250 lines, and 300 is the end."""
    long = {name: n for name, path in modules().items() if (n := path.read_text("utf-8").count("\n")) > 300}
    assert not long


def test_every_text_names_its_encoding():
    """Windows has another one than UTF-8: what is read or written as text says so, unless it is binary."""
    unnamed = []
    for name, path in {**modules(), "lessons/text": ROOT / "lessons/text/build.py"}.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said, called = (ast.unparse(node), ast.unparse(node.func)) if isinstance(node, ast.Call) else ("", "")
            text = called.endswith((".read_text", ".write_text")) or called == "open" and not re.search(r"'\w*b", said)
            if text and "encoding=" not in said:
                unnamed.append(f"{name}: {said}")
    assert not unnamed


@pytest.mark.parametrize("name", OLD_PYTHON)
def test_an_old_python_can_read_what_tells_it_that_it_is_old(name):
    ast.parse((PACKAGE / name).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_import_is_light():
    code = """
import sys, time
start = time.process_time()
import diffusion_lab
took = time.process_time() - start
print(took, *sorted({"torch", "numpy", "diffusers", "transformers", "matplotlib"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took, *heavy = run.stdout.split()
    assert heavy == [] and float(took) < 0.3  # seconds of work, however busy the machine is


def test_diffusers_is_quiet_for_whoever_imports_it_after_us_and_lazy_names_exist():
    quiet = {name: value for name, value in os.environ.items() if not name.endswith("_VERBOSITY")}
    code = ("import diffusion_lab as d; from diffusers import StableDiffusionPipeline\n"
            "print([n for n in d.__all__ if getattr(d, n) is None])")  # fmt: skip
    run = subprocess.run([sys.executable, "-W", "error::DeprecationWarning:diffusion_lab", "-c", code],
                         capture_output=True, text=True, env=quiet)  # fmt: skip
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "[]", "")


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+", pin) for pin in pins)
    return dict(pin.split("==") for pin in pins)


def requirements(*extras: str) -> list[Requirement]:
    """What the course needs, and what its extras do; the tests' brings that of the web with it."""
    more = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return [Requirement(line) for line in PROJECT["dependencies"] + more if not line.startswith(PROJECT["name"])]


def test_every_requirement_is_bounded_above_and_pinned_inside_its_bounds():
    pins = constraints()
    for need in requirements("test", "web"):
        assert any(spec.operator in {"<", "=="} for spec in need.specifier), f"{need} has no upper bound"
        assert need.specifier.contains(pins[need.name]), f"{need} is pinned to {pins[need.name]}"


def test_what_is_installed_is_what_is_pinned():
    """Every package that the course's own packages need, down to the last, is in constraints.txt."""
    from importlib import metadata

    pins, todo, seen = constraints(), requirements("test", "web"), set()
    while todo:
        need = todo.pop()
        name = re.sub("[-_.]+", "-", need.name).lower()
        if name in seen:
            continue
        seen.add(name)
        dist = metadata.distribution(need.name)
        assert pins.get(name) == dist.version.split("+")[0], f"{name} {dist.version}: pinned {pins.get(name)}"
        inner = [Requirement(line) for line in dist.requires or []]
        extras = ["", *need.extras]
        todo += [r for r in inner if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)]
    assert len(seen) > 100


def test_environment_yml_says_what_pyproject_says():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert conda["name"] == PROJECT["name"]
    plain = [Requirement(line) for line in conda["dependencies"] if isinstance(line, str)]
    python = next(need for need in plain if need.name == "python")
    assert python.specifier == SpecifierSet(PROJECT["requires-python"])
    known = {need.name: need for need in requirements("test")}
    for need in plain:  # a package that conda brings obeys the same bounds
        if need.name not in {"python", "pip"}:
            assert need.specifier == known[need.name].specifier
    (pip,) = [line["pip"] for line in conda["dependencies"] if isinstance(line, dict)]
    assert pip == ["--constraint constraints.txt", "--editable ."]


def test_colab_takes_what_pyproject_takes_but_keeps_its_own():
    """Colab's torch fits its graphics cards, and its kernel runs already: an upgrade of either breaks the notebook."""
    lines = (ROOT / "colab" / "requirements.txt").read_text("utf-8").splitlines()
    own = {"torch", "ipykernel", "jupyterlab", "jupyterlab-slideshow"}
    wanted = [str(need) for need in requirements() if need.name not in own]
    assert [str(Requirement(line)) for line in lines if not line.startswith("#")] == wanted


def test_the_readmes_first_screen_shows_the_page_that_draws():
    first = (ROOT / "README.md").read_text("utf-8").partition("## Start")[0]
    assert re.findall(r"!\[[^]]+\]\(([^)]+)\)", first) == ["docs/drawing.webp"]
    assert (ROOT / "docs" / "drawing.webp").stat().st_size <= 120_000


def test_the_network_is_out_of_reach():
    """Processes that tests start refuse every address but loopback (a documentation address that no one has)."""
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert run.returncode == 1
    assert "tests see the loopback interface only" in run.stderr


def test_every_file_of_the_package_is_installed_with_it():
    """Whatever is no Python matches a pattern of package-data, or an ordinary install would lack it."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    wanted = {path for pattern in told["diffusion_lab"] for path in PACKAGE.glob(pattern)}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert sorted(files - wanted) == []


def test_readme_names_every_lesson_and_every_verb():
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    links = {name for name in re.findall(r"\]\(([^)#]+)\)", told) if "//" not in name}
    assert {f"lessons/{path.name}" for path in (ROOT / "lessons").glob("*.ipynb")} <= links
    assert [name for name in links if not (ROOT / name).exists()] == []
    verbs = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert [verb for verb in verbs if f"`{verb}" not in told and verb not in {"help", "ready"}] == []


@pytest.mark.parametrize("verb", ["lab", "present", "doctor", "ready"])
def test_a_path_with_a_space_is_one_word_for_make(verb):
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    words = ["make", "-n", verb, "PYTHON=/a b/python"]
    said = subprocess.run(words, cwd=ROOT, env=alone, capture_output=True, text=True)
    assert shlex.split(said.stdout)[:3] == ["/a b/python", "-m", "diffusion_lab"]


def test_beside_what_others_wrote_lies_its_licence():
    """notes.js is reveal.js's speaker view, with marked within it."""
    assets = PACKAGE / "coursework/slides/assets"
    for name, owner in (("reveal.js", "Hakim El Hattab"), ("marked", "MarkedJS"), ("mathjax", "Apache License")):
        assert owner in (assets / f"LICENSE-{name}").read_text("utf-8")


def test_version_and_licences():
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert "CC BY 4.0" in (ROOT / "LICENSE-content").read_text("utf-8")
    assert PROJECT["license"] == "MIT AND CC-BY-4.0"
