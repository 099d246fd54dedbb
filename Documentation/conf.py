# SPDX-License-Identifier: GPL-2.0
"""How Sphinx builds these documents: `make docs` calls it, in the environment."""

import os
import sys

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The source of the kernel that the module is for; its kernel-doc reads the headers.
KERNEL = "/usr/src/pinlease/source"

# The kernel's extension wants this variable, for the place of its parser.
os.environ["srctree"] = KERNEL
sys.path.insert(0, os.path.join(KERNEL, "Documentation/sphinx"))

project = "pinlease"
copyright = "the pinlease authors"
extensions = ["kerneldoc"]
kerneldoc_srctree = TREE
primary_domain = "c"
highlight_language = "none"
# Part of performance.rst.
exclude_patterns = ["performance-figures.rst"]

html_theme = "alabaster"
html_theme_options = {
    "description": "Leases on file ranges whose memory a device writes",
    "fixed_sidebar": True,
    "page_width": "1100px",
    "sidebar_width": "230px",
}
html_show_sphinx = False
html_copy_source = False
