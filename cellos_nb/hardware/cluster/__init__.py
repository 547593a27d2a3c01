"""Robots on hosts of their own, reached over a Dask cluster (extra `cluster`)."""
