"""Sphinx's settings: how `make docs` builds the pages in this folder.

The extensions in ``_ext/`` generate pages from the package itself: the API, the mathematics, and
the notebooks to download.
"""

import importlib.util
import os
import sys
from pathlib import Path

import multilayer

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# MathJax comes from a Python package, so that the equations can be read offline.
MATHJAX = importlib.util.find_spec("sphinx-mathjax-offline")
assert MATHJAX is not None
assert MATHJAX.submodule_search_locations is not None

project = "multilayer"
author = "the authors of multilayer"
project_copyright = author
version = release = multilayer.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "api_pages",
    "math_pages",
    "downloads",
    "names",
    "repository",
    "typesetting",
]
root_doc = "index"
exclude_patterns = ["_build", "**.ipynb_checkpoints", "_notebooks"]
toc_object_entries_show_parents = "hide"
nitpicky = True
# Names of other packages and of the standard library are not looked up, since a build must not
# depend on a network. Names of this package must all resolve.
nitpick_ignore_regex = [(r"py:.*", r"(?!multilayer).*")]

# Notebooks are executed in each build; an exception in one fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True
# Use the kernel of this environment, not one that a user has installed under the name python3.
os.environ["JUPYTER_PATH"] = str(HERE / "_ext")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # mlp
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
os.environ["PYTHONWARNINGS"] = "ignore::DeprecationWarning,ignore::PendingDeprecationWarning"
os.environ.setdefault("OMP_NUM_THREADS", "1")

myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
default_role = "py:obj"  # `name` in a docstring: a link where the name is known, else code

autodoc_typehints = "none"  # the docstrings have types and shapes
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
# Like parameters, so that a pair such as `coefs_, intercepts_ : list of array` keeps its type.
napoleon_custom_sections = [("Attributes", "params_style")]

html_theme = "pydata_sphinx_theme"
html_title = "multilayer"
html_favicon = "_static/favicon.svg"
html_static_path = [
    "_static",
    str(Path(MATHJAX.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg.js"),
]
html_css_files = ["house.css"]
mathjax_path = "tex-svg.js"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"index": [], "glossary": [], "gallery": [], "performance": []}
