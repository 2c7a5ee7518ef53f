"""Sphinx configuration: ``python -m sphinx -W -b html doc doc/_build/html``, and ``-b doctest`` for the examples."""

import sys
import warnings
from pathlib import Path

import sphinx.application
import sphinx.environment
from sphinx.util import logging

import skgeom

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
warnings.simplefilter("error", append=True)  # of an example, a doctest or a picture: it ends the build

project = "skgeom"
author = "The skgeom developers"
copyright = author
release = version = skgeom.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "registry_tables",
    "result_tables",
    "sphinx-mathjax-offline",  # formulas without a network
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]

# A word in single backticks is a link where it names an object, and code where it names a parameter.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*")]

autosummary_generate = True
autodoc_typehints = "none"
add_function_parentheses = False
numpydoc_show_class_members = False
extlinks = {
    "skl": ("https://scikit-learn.org/stable/modules/generated/sklearn.%s.html", "%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}

# Pictures are drawn as the pages are built, at twice the size they have on a screen.
plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 192)]
plot_pre_code = ""

# The scripts of `examples/` run as the pages are built, once for each change of theirs. Their pages show no times, so
# that two builds are equal. Pictures have a second copy of twice the size, for fine screens.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": r"\d\d_\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("gallery.pictures",),
    "image_srcset": ["2x"],
    "capture_repr": (),
    "min_reported_time": float("inf"),
    "write_computation_times": False,
    "show_signature": False,
    "download_all_examples": False,
    "notebook_extensions": set(),
}

# The `:skipif:` of a doctest sees these names.
doctest_global_setup = "from importlib.util import find_spec"
doctest_global_cleanup = "from matplotlib import pyplot; pyplot.close('all')"

html_theme = "furo"
pygments_dark_style = "monokai"
html_title = f"skgeom {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css", "pictures.css"]
html_extra_path = ["llms.txt"]
html_show_sourcelink = False  # the sources are there as plain text: see llms.txt
html_show_sphinx = False


def _skip_what_others_document(app, what, name, obj, skip, options) -> bool | None:
    """Leave out the members that come from scikit-learn or from Python itself."""
    home = getattr(obj, "__module__", None) or getattr(getattr(obj, "__objclass__", None), "__module__", "")
    return True if home.partition(".")[0] in ("sklearn", "builtins") else None


def _list_every_page(app: sphinx.application.Sphinx, env: sphinx.environment.BuildEnvironment) -> None:
    """Warn of pages that llms.txt lacks, but for those of single objects and the list of packages."""
    listed = Path(app.srcdir, "llms.txt").read_text(encoding="utf-8")
    for page in sorted(env.found_docs):
        if f"({page}.html)" not in listed and "/generated/" not in page and page != "reference/index":
            logging.getLogger(__name__).warning("llms.txt has no line for this page", location=page)


def setup(app: sphinx.application.Sphinx) -> None:
    app.connect("autodoc-skip-member", _skip_what_others_document)
    app.connect("env-check-consistency", _list_every_page)
