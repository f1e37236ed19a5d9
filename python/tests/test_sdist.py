# SPDX-License-Identifier: MIT
"""What a source distribution holds."""
import subprocess
import sys
import tarfile

import pytest
from conftest import ROOT


def test_a_source_distribution_holds_the_sources_and_nothing_built(tmp_path):
    pytest.importorskip("scikit_build_core")
    code = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True,
                   capture_output=True)
    (file,) = tmp_path.glob("diffseg-*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    sources = {str(path.relative_to(ROOT)) for folder in ("include", "python/src")
               for path in (ROOT / folder).rglob("*") if path.suffix in (".hpp", ".cpp", ".py")}
    assert sources <= names and {"pyproject.toml", "LICENSE", "python/CMakeLists.txt"} <= names
    assert {name.split("/")[0] for name in names if "/" in name} == {
        "cmake", "examples", "include", "python"}
    assert file.stat().st_size < 1_000_000
