"""Search forms of texts: texts that people take for the same have one form, which every database compares bytewise."""

import unicodedata


def search_form(text: str) -> str:
    """Return the text without white space at its ends, and with one form for each case, width and normal form.

    It is the compatibility caseless form of the Unicode Standard (section 3.13, D146), composed.
    """
    if text.isascii():
        return text.strip().lower()
    folded = unicodedata.normalize("NFD", text).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    return unicodedata.normalize("NFKC", folded).strip()
