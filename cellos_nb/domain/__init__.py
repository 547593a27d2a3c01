"""The vocabulary: frozen values that walk from room to room."""
