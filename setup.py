"""For tools that run setup.py themselves, such as Beam's --setup_file; see pyproject.toml."""

import setuptools

setuptools.setup()
