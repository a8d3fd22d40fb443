"""Checks of chapter 3: grokking, watched, and read as Fourier analysis."""
