#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What of a release needs PyPI: release.py [--work FOLDER]

The citation is valid (cffconvert), and `conan create` makes the package and builds and runs a
consumer of it, with Eigen, zlib and nlohmann-json of the system and nothing from the network. Both
programs are installed from PyPI into an environment in the work folder. A minute; exit status 1
when one fails.
What needs no network is in ctest: release.version, .installed, .archive, .vcpkg.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The system's libraries by what they say themselves; Conan asks for nothing then.
SYSTEM = {
    "eigen": ("/usr/include/eigen3/Eigen/src/Core/util/Macros.h",
              r"EIGEN_(?:WORLD|MAJOR|MINOR)_VERSION (\d+)"),
    "zlib": ("/usr/include/zlib.h", r'ZLIB_VERSION "([0-9.]+)"'),
    "nlohmann_json": ("/usr/include/nlohmann/detail/abi_macros.hpp",
                      r"NLOHMANN_JSON_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)"),
}


def version_of(name):
    path, pattern = SYSTEM[name]
    if not os.path.exists(path) and name == "nlohmann_json":
        path = "/usr/include/nlohmann/json.hpp"
    return ".".join(re.findall(r"define " + pattern, pathlib.Path(path).read_text())[:3])


def gcc_version():
    return subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True,
                          check=True).stdout.split(".")[0].strip()


def profile():
    libraries = "".join(f"{name}/{version_of(name)}\n" for name in SYSTEM)
    return ("[settings]\nos=Linux\narch=x86_64\nbuild_type=Release\ncompiler=gcc\n"
            f"compiler.version={gcc_version()}\ncompiler.libcxx=libstdc++11\n"
            f"compiler.cppstd=20\n[platform_requires]\n{libraries}")


def succeeds(name, command, **variables):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, **variables}, check=False)
    out = done.stdout + done.stderr
    print(f"{name}: {'as it should be' if done.returncode == 0 else 'FAILED'}", flush=True)
    if done.returncode:
        print(out[-4000:])
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/trust/release",
                        help="where to work (build/trust/release)")
    work = parser.parse_args().work.resolve()
    bin_folder = work / "venv/bin"
    if not (bin_folder / "conan").exists():
        venv.create(work / "venv", with_pip=True)
        subprocess.run([bin_folder / "pip", "install", "-q", "conan==2.34.0", "cffconvert==2.0.0"],
                       check=True)
    (work / "profile").write_text(profile())
    consumer = f"tools.cmake.cmake_layout:test_folder={work / 'consumer'}"
    options = {"plain": [], "with_npz and with_safetensors": [
        "-o", "&:with_npz=True", "-o", "&:with_safetensors=True"]}
    right = [succeeds("citation", [bin_folder / "cffconvert", "--validate", "-i", "CITATION.cff"])]
    for name, more in options.items():
        right.append(succeeds(
            f"conan create {name}",
            [bin_folder / "conan", "create", "cmake/packaging/conan", "--no-remote", "-pr:a",
             work / "profile", "-c", consumer, *more], CONAN_HOME=str(work / "conan")))
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
