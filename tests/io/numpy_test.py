# SPDX-License-Identifier: MIT
"""numpy_test.py REWRITE [nodeflate]: 1,000 random arrays, written by numpy as .npy and .npz and by
hand as safetensors, must come back bit for bit from the program REWRITE. Exits with 77 (skipped)
where numpy is not installed."""

import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
except ImportError:
    print("skipped: numpy is missing")
    sys.exit(77)

COUNT = 1000
SAFETENSORS = {"f2": "F16", "f4": "F32", "f8": "F64"}


def random_array(generator):
    """Any shape of 0 to 5 axes, either byte order, C or Fortran order, any bits (NaN included)."""
    kind = generator.choice(["f2", "f4", "f8"])
    axes = generator.randint(0, 5)
    longest = {0: 1, 1: 400, 2: 40, 3: 12, 4: 6, 5: 4}[axes]
    shape = [generator.randint(0 if generator.random() < 0.1 else 1, longest) for _ in range(axes)]
    size = int(numpy.prod(shape, dtype=int)) * int(kind[1])
    flat = numpy.frombuffer(generator.randbytes(size), dtype=generator.choice("<>") + kind)
    return flat.reshape(shape, order=generator.choice("CF"))


def bits(array):
    """The array's numbers as integers, row by row, in this machine's byte order."""
    native = array.astype(array.dtype.newbyteorder("="), copy=True, order="C")
    return native.reshape(-1).view(f"u{array.dtype.itemsize}")


def write_safetensors(path, arrays):
    header, payload = {}, b""
    for name, array in arrays.items():
        kind = array.dtype.str[1:]
        numbers = bits(array).astype(f"<u{kind[1]}").tobytes()
        header[name] = {
            "dtype": SAFETENSORS[kind],
            "shape": list(array.shape),
            "data_offsets": [len(payload), len(payload) + len(numbers)],
        }
        payload += numbers
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + payload)


def write_all(folder, generator, deflate):
    """Writes all arrays in every format -> {stem of the file that must come back: array}."""
    expected = {}
    archive = {}
    for index in range(COUNT):
        array = random_array(generator)
        numpy.save(folder / f"{index}.npy", array)
        expected[f"{index}.npy"] = array
        archive[f"a{index}"] = array
        if len(archive) < generator.randint(1, 20) and index + 1 < COUNT:
            continue
        numpy.savez(folder / f"s{index}.npz", **archive)
        write_safetensors(folder / f"t{index}.safetensors", archive)
        files = [f"s{index}.npz", f"t{index}.safetensors"]
        if deflate:
            numpy.savez_compressed(folder / f"d{index}.npz", **archive)
            files.append(f"d{index}.npz")
        expected.update({f"{file}.{name}": value for file in files for name, value in archive.items()})
        archive = {}
    return expected


def main():
    seed = 20240
    print(f"numpy {numpy.__version__}, seed {seed}")
    with tempfile.TemporaryDirectory() as scratch:
        source, target = pathlib.Path(scratch, "from"), pathlib.Path(scratch, "to")
        source.mkdir()
        target.mkdir()
        expected = write_all(source, random.Random(seed), "nodeflate" not in sys.argv[2:])
        subprocess.run([sys.argv[1], source, target], check=True)
        for name, array in expected.items():
            read = numpy.load(target / f"{name}.npy")
            same = read.shape == array.shape and read.dtype.str[1:] == array.dtype.str[1:]
            if not same or not numpy.array_equal(bits(read), bits(array)):
                print(f"{name}: wrote {array.dtype} {array.shape}, read {read.dtype} {read.shape}")
                return 1
        if len(list(target.iterdir())) != len(expected):
            print("other files came back than were written")
            return 1
    print(f"{COUNT} arrays in {len(expected)} places came back bit for bit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
