# SPDX-License-Identifier: MIT
"""Words of a prompt and their token columns."""
from __future__ import annotations

WORD_END = "</w>"


def is_mark(token: str) -> bool:
    """A mark such as "<|startoftext|>" is no part of a word."""
    return token.startswith("<") and not token.endswith(WORD_END)


def _spelled(tokens: list[str], begin: int, word: str) -> int:
    """The end of the run from `begin` that spells `word`; `begin` itself when there is none."""
    text = ""
    for index in range(begin, len(tokens)):
        text += tokens[index].lower()
        if text == word:
            return index + 1
        if len(text) >= len(word):
            break
    return begin


def find_noun(word: str, tokens: list[str]) -> tuple[str, int, int]:
    """(word, first column, column behind its last); (word, 0, 0) when the tokens do not spell it."""
    marked = any(token.endswith(WORD_END) for token in tokens)
    wanted = word.lower() + (WORD_END if marked else "")
    for begin in range(len(tokens)):
        inside = (marked and begin > 0 and not tokens[begin - 1].endswith(WORD_END)
                  and not is_mark(tokens[begin - 1]))
        end = begin if inside else _spelled(tokens, begin, wanted)
        if end != begin:
            return word, begin, end
    return word, 0, 0
