"""Instruments of many makers through PyLabRobot: Hamilton robots, plate readers, incubators (extra `instruments`)."""
