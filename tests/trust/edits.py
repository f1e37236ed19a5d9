# SPDX-License-Identifier: MIT
"""Small edits of a header, each of which a test should notice."""
import dataclasses
import re

OPERATORS = {" + ": [" - "], " - ": [" + "], " * ": [" / "], " / ": [" * "], " % ": [" / "],
             " < ": [" <= ", " >= "], " <= ": [" < ", " > "], " > ": [" >= ", " <= "],
             " >= ": [" > ", " < "], " == ": [" != "], " != ": [" == "], " && ": [" || "],
             " || ": [" && "], " += ": [" -= "], " -= ": [" += "], " *= ": [" /= "],
             " /= ": [" *= "]}
WORDS = {"true": "false", "false": "true", "std::min": "std::max", "std::max": "std::min",
         "padd": "psub", "psub": "padd", "pmin": "pmax", "pmax": "pmin"}
OPERATOR = re.compile(r"(?<=[\w)\]}\"'.]) (?:[-+*/]=?|%|[<>]=?|[=!]=|&&|\|\|) (?=\S)")
WORD = re.compile(r"(?<![\w:.>])(?:true|false|std::min|std::max|padd|psub|pmin|pmax)\b(?!\w)")
NUMBER = re.compile(r"(?<![\w.])(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?=[uUlLfF]*\b)")
# What stands on lines of its own and can go: a check, a call, an assignment, a step out.
# A last `return` is none of them: without it anything may happen, the right thing included.
STATEMENT = re.compile(r"""^(?:
    if\ \(.*\)\ (?:return\b[^;]*|continue|break);$
  | (?!return\b)(?:if\ \(.*\)\ )?[A-Za-z_][\w.:>\[\]()*-]*(?:<[^;={}]*>)?\(.*
  | (?!return\b)\*?[A-Za-z_][\w.\[\]()>:-]*\ [-+*/|&^]?=\ .*)""", re.X)
DECLARES = re.compile(r"^(?:using|typedef|static_assert|template|friend|namespace|case|default)\b")


@dataclasses.dataclass(frozen=True)
class Edit:
    """Characters [begin, end) of a header that become `text`."""
    path: str
    begin: int
    end: int
    text: str

    def apply(self, source):
        return source[:self.begin] + self.text + source[self.end:]

    def lines(self, source):
        """The first line it changes, before and after."""
        first = source.rfind("\n", 0, self.begin) + 1
        last = source.find("\n", self.end)
        before = source[first:last].split("\n")
        after = self.apply(source)[first:last + len(self.text) - (self.end - self.begin)]
        return before[0].strip(), after.split("\n")[0].strip()


def blanked(source):
    """`source` with spaces for comments, texts, the preprocessor's lines: same length."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\''
                         r"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.S | re.M)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)


def without_types(code):
    """`code` with spaces for heads of templates and lines that only name types."""
    code = re.sub(r"\btemplate <[^;{]*?>(?=\s*(?:\n|class|struct|using|friend))",
                  lambda found: re.sub(r"[^\n]", " ", found.group()), code)
    return re.sub(r"^[ \t]*(?:using|static_assert|requires|concept)\b[^;]*",
                  lambda found: re.sub(r"[^\n]", " ", found.group()), code, flags=re.M)


def changed_numbers(text):
    if text.startswith("0x"):
        return [hex(int(text, 16) ^ 1)]
    if "." in text or "e" in text:
        return [text + " + 1", text + " - 1"] if float(text) in (0, 1, 2) else [text + " * 2"]
    return [str(int(text) + 1)] + ([str(int(text) - 1)] if int(text) > 0 else [])


def swaps(path, code):
    """Other operators, words and numbers."""
    for found in OPERATOR.finditer(code):
        for text in OPERATORS[found.group()]:
            yield Edit(path, *found.span(), text)
    for found in WORD.finditer(code):
        yield Edit(path, *found.span(), WORDS[found.group()])
    for found in NUMBER.finditer(code):
        for text in changed_numbers(found.group()):
            yield Edit(path, *found.span(), "(" + text + ")" if " " in text else text)


def statement_end(code, begin):
    """One past the `;` that ends the statement, or None where something else does."""
    depth = 0
    for at in range(begin, len(code)):
        if code[at] in "([{":
            depth += 1
        elif code[at] in ")]}":
            depth -= 1
        if depth < 0:
            return None
        if code[at] == ";" and depth == 0:
            return at + 1
    return None


def removals(path, code):
    """Statements that go; those within `if (...)` on one line leave it empty."""
    previous = ";"
    for line in re.finditer(r"^([ \t]+)(\S[^\n]*)$", code, re.M):
        text = line.group(2).strip()
        begin, ready = line.start(2), previous in "{};)"
        if text:
            previous = text[-1]
        end = statement_end(code, begin)
        if not (ready and end and STATEMENT.match(text)) or DECLARES.match(text):
            continue
        gone = re.sub(r"[^\n]", "", code[begin:end])
        yield Edit(path, begin, end, ";" + gone)


def edits(path, source):
    code = without_types(blanked(source))
    return sorted({*swaps(path, code), *removals(path, code)},
                  key=lambda edit: (edit.begin, edit.end, edit.text))
