"""What the fork server imports once, so that each killed process starts in milliseconds."""

import cellos_nb.planner.registry
import pandas as pd  # noqa: F401

import cellos_nb.hardware.replay
import cellos_nb.lab  # noqa: F401
