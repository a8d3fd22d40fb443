"""Checks of chapter 2: induction heads, watched forming, found and proven."""
