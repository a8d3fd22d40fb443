"""Tokens as a learner reads and types them: blanks visible, parts of a character by their bytes."""

import re

from tokenizers import Tokenizer

from mechcourse import plots

SIGNS = {"·": " ", "↵": "\n", "⇥": "\t", "␍": "\r"}
# The sign that a byte-level tokenizer writes for each byte: itself, or the next from 256 on.
PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
UNPRINTED = [byte for byte in range(256) if byte not in PRINTED]
BYTES = {chr(byte): byte for byte in PRINTED} | {
    chr(256 + index): byte for index, byte in enumerate(UNPRINTED)
}


def token_names(tokenizer: Tokenizer, d_vocab: int) -> list[str]:
    """A name for every token: its text with blanks visible, or "byte E2" where that is no text."""
    return [_name(tokenizer, token) for token in range(d_vocab)]


def as_text(typed: str) -> str:
    """What was typed, with the signs for blanks read as blanks.

    >>> as_text("↵·×4if")
    '\\n    if'
    """
    text = re.sub(r"·×(\d+)", lambda run: " " * int(run[1]), typed)
    return "".join(SIGNS.get(sign, sign) for sign in text)


def _name(tokenizer: Tokenizer, token: int) -> str:
    text = tokenizer.decode([token], skip_special_tokens=False)
    if "\ufffd" not in text and all(s.isprintable() or s in SIGNS.values() for s in text):
        return plots.compact(text)
    raw = tokenizer.id_to_token(token) or f"token {token}"
    if not set(raw) <= BYTES.keys():
        return raw
    return "byte " + " ".join(f"{BYTES[sign]:02X}" for sign in raw)
