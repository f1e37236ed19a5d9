# SPDX-License-Identifier: MIT
"""Words among the tokens of prompts: the table that the program is tested with."""
import json

import pytest
from conftest import ROOT

from diffseg._nouns import find_noun, is_mark

CASES = json.loads((ROOT / "tests/files/names/words.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['word']}-{len(case['tokens'])}")
def test_words_are_found_among_tokens(case):
    assert find_noun(case["word"], case["tokens"]) == (case["word"], *case["columns"])


def test_marks_are_told_from_words():
    assert all(map(is_mark, ["<|startoftext|>", "<s>", "</s>", "<pad>", "[CLS]", "<cat-toy>"]))
    assert not any(map(is_mark, ["cat</w>", "<</w>", "<3", "[", "[a]", "<>", "cat", ""]))
