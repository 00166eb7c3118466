"""Sphinx configuration of the manual. Pages under generated/ are written from the package each time it is built."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

# Kernels of the tutorials find the commands of this environment, and draw without a screen.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

import generate  # noqa: E402
import pictures  # noqa: E402

import mtorscore  # noqa: E402

generate.write_all(HERE)

project = "mtorscore"
author = "The mtorscore developers"
copyright = author  # noqa: A001
version = release = mtorscore.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
# Autosummary writes one .rst page per module of the API, with what its `__all__` names.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}
exclude_patterns = ["_build", "_ext", "_templates", "Thumbs.db", ".DS_Store"]
default_role = "py:obj"
nitpicky = False
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"

autodoc_default_options = {"members": True, "member-order": "bysource"}
autosummary_imported_members = True
autosummary_ignore_module_all = False
autosummary_context = {"undrawn": pictures.UNDRAWN}
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
add_module_names = False
python_maximum_signature_line_length = 80
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False

html_theme = "sphinx_book_theme"
html_title = f"mtorscore {release}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": False,
    # The sidebar has title and search already; a second bar above would repeat them.
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}


def _skip(app, what, name, obj, skip, options):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Leave out what scikit-learn adds to every estimator for metadata routing."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def setup(app):  # type: ignore[no-untyped-def]
    """Register the skipping of generated methods."""
    app.connect("autodoc-skip-member", _skip)
