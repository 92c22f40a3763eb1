"""How the site is written: Sphinx and MyST-NB over the stored notebooks, nothing run, nothing fetched."""

import re

from docutils import nodes
from sphinx.search.en import SearchEnglish

import diffusion_lab

project, author, release = "diffusion_lab", "The diffusion_lab authors", diffusion_lab.__version__
html_title = "diffusion_lab"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]

nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_code_prompt_show, nb_code_prompt_hide = "Show the code", "Hide the code"
nb_mime_priority_overrides = [("html", "text/html", 1), ("html", "image/png", 3)]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 2
nb_render_markdown_format = "gfm"  # what a cell displays as Markdown may hold a table
mathjax_path = "tex-svg.js"

FUNCTION = re.compile(r"<function (?:([\w.]+)|[\w.]*<lambda>)(?: at 0x\w+)?>")  # as Python writes one
FIGURES = re.compile(r'class="(dl-|draw\b|away")')

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_extra_path = ["extra"]  # what is taken along as it is: notebooks, slides
html_favicon = "_static/icon.svg"
html_copy_source = html_domain_indices = False
html_show_sphinx = html_show_copyright = False


class Hyphens(SearchEnglish):
    """English, where a word with hyphens is found as a whole too; the parts of one that no page has are looked for."""

    js_splitter_code = """var splitQuery = (query) => query.split(/[^\\p{L}\\p{N}_-]+/u).flatMap((word) =>
      Search._index.terms.hasOwnProperty(new Stemmer().stemWord(word.toLowerCase())) ? [word] : word.split("-"))
      .filter((word) => word);"""

    def split(self, text):
        return [*super().split(text), *re.findall(r"\w+(?:-\w+)+", text)]


def literal(sign):
    """A sign that stands for itself; *a word* between stars is said with stress."""
    return sign[0] if len(sign[0]) > 1 else f"\\{sign[0]}"


def named(app, what, name, obj, options, signature, returned):
    """A default that is a function stands there by its name, one without a name as "..."."""
    return FUNCTION.sub(lambda found: found[1] or "...", signature or "") or None, returned


def plain(app, what, name, obj, options, lines):
    """Docstrings are plain text, in which `a name` is code: no other sign of theirs is markup."""
    parts = "\n".join(lines).split("`")
    parts[::2] = [re.sub(r"(?<![\w*])\*\w+\*(?![\w*])|[*|\\]|_(?!\w)", literal, part) for part in parts[::2]]
    lines[:] = "``".join(parts).split("\n")


def unsearched(app, doctree):
    """Players, the page that draws and the line that leads away are no text to search."""
    for node in doctree.findall(nodes.raw):
        if FIGURES.search(node.astext()):
            node["classes"].append("no-search")


def setup(app):
    app.add_search_language(Hyphens)
    app.connect("autodoc-process-docstring", plain)
    app.connect("autodoc-process-signature", named)
    app.connect("doctree-read", unsearched)
