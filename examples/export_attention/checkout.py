# SPDX-License-Identifier: MIT
"""Makes `import diffseg.onnx` and `import diffseg.diffusers` find the modules of this checkout: attention
is recorded and written without the extension, which nothing has to be built for."""
import os
import sys
import types

if "diffseg" not in sys.modules:
    _package = types.ModuleType("diffseg")
    _package.__path__ = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python",
                                      "src", "diffseg")]
    sys.modules["diffseg"] = _package
