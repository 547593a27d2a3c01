"""Skeletons of plug-ins: packages that work as they stand, in folders beside this file, and how one is written."""
