"""OT-2 and Flex: protocols that a person can read, proved by Opentrons' own software in an environment of its own."""
