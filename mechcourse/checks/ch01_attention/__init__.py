"""Checks of chapter 1: attention, QK and OV circuits, composition."""
