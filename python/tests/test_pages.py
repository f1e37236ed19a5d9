# SPDX-License-Identifier: MIT
"""The Python of the pages is run: the blocks of a page in a row, in one namespace.

An HTML comment right above a block, <!-- given: CODE -->, puts CODE in front of it;
<!-- needs: MODULE --> skips it where the module is missing."""
import importlib.util
import re

import numpy as np
import pytest
from conftest import ROOT, attention


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    if not (ROOT / page).exists():
        pytest.skip(f"{page} is not at hand")
    blocks = re.findall(r"((?:<!--[^>]*-->\n)*)```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert blocks, "there is no block of Python"
    random = np.random.default_rng(1)
    photo = ROOT / "examples/data/chelsea.jpg"
    (tmp_path / "cat.jpg").write_bytes(photo.read_bytes())
    monkeypatch.chdir(tmp_path)
    names = {"attention": lambda heads, side: attention(random, heads, (side, side), sharp=20)}
    for comments, code in blocks:
        needed = re.findall(r"needs: (\w+)", comments)
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            print(f"{page}: skipped a block, {missing[0]} is missing")
            continue
        given = re.search(r"given: (.*?) *-->", comments, re.S)
        exec(compile((given[1] + "\n" if given else "") + code, page, "exec"), names)
