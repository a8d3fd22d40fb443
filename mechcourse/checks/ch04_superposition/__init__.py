"""Checks of chapter 4: superposition, sparse features in too few dimensions, and how to undo it."""
