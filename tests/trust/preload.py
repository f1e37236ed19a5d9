# SPDX-License-Identifier: MIT
"""What the scripts here share: programs that run while something fails below them."""
import dataclasses
import json
import os
import pathlib
import re
import struct
import subprocess

TIMES = re.compile(r'("(?:read|segment|write|seconds|ts|dur|tid)"): ?[0-9.e+-]+|\b(in) [0-9.]+')
HERE = pathlib.Path(__file__).resolve().parent


def build(name, folder):
    """Compiles NAME.cpp, which stands here, to be preloaded."""
    library = folder / f"{name}.so"
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O1", "-shared", "-fPIC",
                    "-o", library, HERE / f"{name}.cpp"], check=True)
    return library


@dataclasses.dataclass
class Outcome:
    status: int
    out: str
    err: str
    reached: bool  # what was to fail was asked for


def run(library, variables, arguments, cwd, timeout=120, **options):
    """Runs a program; `variables` are the library's, their names without TRUST_."""
    ours, theirs = os.pipe()
    env = os.environ | {f"TRUST_{name}": str(value) for name, value in variables.items()}
    env |= {"LD_PRELOAD": str(library), "TRUST_TOLD": str(theirs), "OMP_WAIT_POLICY": "passive"}
    env.setdefault("OMP_NUM_THREADS", "1")
    try:
        done = subprocess.run(list(map(str, arguments)), env=env, cwd=cwd, capture_output=True,
                              pass_fds=[theirs], timeout=timeout, check=False, **options)
    finally:
        os.close(theirs)
        told = os.read(ours, 1)
        os.close(ours)
    return Outcome(done.returncode, done.stdout.decode(errors="replace"),
                   done.stderr.decode(errors="replace"), bool(told))


def npy(split, side=8):
    """The .npy of side x side cells; those left of column `split` see one another, others too."""
    rows = bytearray()
    cells = side * side
    for query in range(cells):
        left = query % side < split
        count = side * (split if left else side - split)
        rows += struct.pack(f"<{cells}f", *((1 / count if (key % side < split) == left else 0)
                                            for key in range(cells)))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {cells}, {cells}), }}"
    header += " " * (117 - len(header)) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + rows


def results(folder):
    """The bytes of all files below a folder; of sidecars and traces without times."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_dir():
            continue
        data = file.read_bytes()
        if file.suffix == ".json":
            data = without_times(data)
        found[str(file.relative_to(folder))] = data
    return found


def without_times(data):
    """The same text for every run; an error where it is no JSON."""
    json.loads(data)
    return TIMES.sub(r"\1: 0", data.decode(errors="replace")).encode()
