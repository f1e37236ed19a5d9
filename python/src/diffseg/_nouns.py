# SPDX-License-Identifier: MIT
"""Words of a prompt and their token columns, whatever marks the tokenizer leaves on tokens."""
from __future__ import annotations

import dataclasses
import re

_PIECE_END = "</w>"  # CLIP
_LEADS = {"low_line": "\u2581", "gpt": "\u0120", "blank": " "}  # T5 and Llama, GPT, decoded texts


def is_mark(token: str) -> bool:
    """A mark such as "<|startoftext|>", "</s>" or "[CLS]" is no part of a word."""
    if len(token) > 2 and token.startswith("<") and token.endswith(">"):
        return not token.endswith(_PIECE_END)
    return re.fullmatch(r"\[[A-Z0-9]+\]", token) is not None


def _style(tokens: list[str]) -> str:
    if any(token.endswith(_PIECE_END) for token in tokens):
        return "clip"
    for style in ("low_line", "gpt"):
        if any(token.startswith(_LEADS[style]) for token in tokens):
            return style
    if any(token == "[CLS]" or (token.startswith("##") and len(token) > 2) for token in tokens):
        return "bert"
    return "blank" if any(token.startswith(" ") for token in tokens) else "plain"


def _byte_letters() -> dict[str, int]:
    """The letters that stand for bytes in CLIP and GPT."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {
        chr(256 + index): byte for index, byte in enumerate(others)}


_BYTES = _byte_letters()


def _unmapped(text: str) -> bytes:
    """The bytes behind the letters; as it was where a letter stands for none."""
    if all(letter in _BYTES or letter < "\x80" for letter in text):
        return bytes(_BYTES.get(letter, ord(letter)) for letter in text)
    return text.encode()


def _lower(text: str) -> bytes:
    return " ".join(text.split()).lower().encode()


def _lower_bytes(piece: bytes) -> bytes:
    """A part of a letter stays as it is."""
    try:
        return _lower(piece.decode())
    except UnicodeDecodeError:
        return piece


def _texts(tokens: list[str], style: str) -> list[bytes]:
    """Without marks, in lower case; of CLIP and GPT the bytes behind them, if all make sense."""
    bare = []
    for token in tokens:
        if is_mark(token):
            token = ""
        elif style == "clip":
            token = token.removesuffix(_PIECE_END)
        elif style == "bert":
            token = token.removeprefix("##")
        elif style in ("low_line", "gpt"):
            token = token.replace(_LEADS[style], "")
        bare.append(token)
    if style in ("clip", "gpt"):
        pieces = [_unmapped(token) for token in bare]
        try:
            b"".join(pieces).decode()
        except UnicodeDecodeError:
            pass
        else:
            return [_lower_bytes(piece) for piece in pieces]
    return [_lower(token) for token in bare]


def _kind(byte: int) -> str:
    if 48 <= byte <= 57:
        return "digit"
    return "letter" if byte >= 128 or 97 <= byte <= 122 else "sign"


def _first_kind(text: bytes) -> str:
    return "sign" if text.startswith(b"\xe2\x80") else _kind(text[0])  # dashes, quotation marks


def _last_kind(text: bytes) -> str:
    return "sign" if text[-3:-1] == b"\xe2\x80" else _kind(text[-1])


@dataclasses.dataclass
class _Token:
    text: bytes
    before: str  # what lies before it: space, joined, piece (either), unknown
    mark: bool


def _tokens(tokens: list[str]) -> list[_Token]:
    style = _style(tokens)
    lead = _LEADS.get(style, "")
    result: list[_Token] = []
    for index, (token, text) in enumerate(zip(tokens, _texts(tokens, style), strict=True)):
        mark, gap = is_mark(token), "joined"
        if index == 0 or mark or result[-1].mark or (lead and token.startswith(lead)):
            gap = "space"
        elif lead and not result[-1].text:
            gap = result[-1].before  # a token that is a space alone
        elif ((style == "clip" and tokens[index - 1].endswith(_PIECE_END))
              or (style == "bert" and not token.startswith("##"))):
            gap = "piece"
        elif style == "plain":
            gap = "unknown"
        result.append(_Token(text, gap, mark))
    return result


def _fits(left: _Token, right: _Token, space: bool) -> bool:
    """True where `right` may follow `left` within a word, or behind a space."""
    if right.before == "unknown":
        return True
    if space:
        return right.before != "joined"
    if right.before != "piece":
        return right.before == "joined"
    return (not left.text or _last_kind(left.text) != "letter"
            or _first_kind(right.text) != "letter")


def _is_edge(tokens: list[_Token], at: int) -> bool:
    """True where a word may begin or end, before the token `at`."""
    if at in (0, len(tokens)) or tokens[at].before != "joined":
        return True
    left, right = tokens[at - 1].text, tokens[at].text
    return not left or not right or _last_kind(left) != _first_kind(right)


def _spelled(tokens: list[_Token], begin: int, word: bytes) -> int:
    """The end of the run from `begin` that spells `word`; `begin` itself when there is none."""
    at = 0
    for index in range(begin, len(tokens)):
        token = tokens[index]
        if token.mark:
            break
        if not token.text:
            continue
        space = index > begin and word[at:at + 1] == b" "
        if index > begin and not _fits(tokens[index - 1], token, space):
            break
        at += space
        if not word.startswith(token.text, at):
            break
        at += len(token.text)
        if at == len(word):
            return index + 1 if _is_edge(tokens, index + 1) else begin
    return begin


def find_noun(word: str, tokens: list[str]) -> tuple[str, int, int]:
    """(word, first column, column behind its last); (word, 0, 0) when the tokens do not spell it.
    A word may have spaces; upper and lower case are alike. Whole words only, where the tokens
    tell: "cat" is not found in "cats", but in "cat's", and "shirt" in "t-shirt"."""
    wanted, parsed = _lower(word), _tokens(tokens)
    for begin, token in enumerate(parsed):
        if token.mark and wanted and _lower(tokens[begin]) == wanted:
            return word, begin, begin + 1
        if token.mark or not token.text or not wanted or not _is_edge(parsed, begin):
            continue
        end = _spelled(parsed, begin, wanted)
        if end != begin:
            return word, begin, end
    return word, 0, 0
