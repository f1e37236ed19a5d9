# SPDX-License-Identifier: MIT
"""The Python package while its k-th allocation above 1 KiB fails, for k = 1, 2, .. until none does.

out_of_memory_python.py, by a Python that has diffseg and numpy. A call gives a MemoryError or what
it always gives, also the next time, and nothing leaks. Takes 20 s. Exit status: 1 for a finding.
"""
import ctypes
import gc
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import preload

CALLS = {}


def call(function):
    CALLS[function.__name__] = function
    return function


def prepare():
    """What the calls work on; made undisturbed."""
    random = np.random.default_rng(7)

    def attention(heads, side):
        numbers = random.random((heads, side * side, side * side)).astype(np.float32) ** 8
        return numbers / numbers.sum(-1, keepdims=True)

    class Given:
        fine, coarse = attention(2, 12), attention(2, 6)
        photo = random.random((40, 48, 3)).astype(np.float32)
        queries = random.random((2, 144, 8)).astype(np.float32)
        cross = random.random((2, 144, 5)).astype(np.float32)
        maps = diffseg.Aggregate()([fine, coarse])
        similarities = diffseg.Compare(anchors=(4, 4))(maps)
        proposals = diffseg.Merge(thresholds=[0.3] * 3)(similarities)
        labels = diffseg.Assign(size=(40, 48))(proposals)
        reused = diffseg.Segmentation()
    return Given


def numbers(*arrays):
    return tuple(np.array(array).tobytes() for array in arrays)


@call
def segment(given):
    labels = diffseg.segment([given.fine, given.coarse], compare=diffseg.Compare(anchors=(4, 4)),
                             assign=diffseg.Assign(size=64))
    return numbers(labels.values)


@call
def segment_into_what_is_kept(given):
    labels = diffseg.segment([given.fine], compare=diffseg.Compare(anchors=(4, 4)),
                             out=given.reused)
    return numbers(labels.values)


@call
def queries_and_keys(given):
    layer = diffseg.Layer.queries_and_keys(given.queries, given.queries)
    return numbers(diffseg.Aggregate()([layer]).rows)


@call
def top_k(given):
    return numbers(diffseg.Aggregate()([diffseg.top_k(diffseg.Layer(given.fine), 9)]).rows)


@call
def stages(given):
    similarities = diffseg.Compare(anchors=(4, 4))(given.maps)
    proposals = diffseg.Merge(thresholds=[0.3] * 3)(similarities)
    return numbers(similarities.data, proposals.rows, diffseg.Assign(size=50)(proposals).values)


@call
def sweep_and_choose(given):
    points = diffseg.Sweep(thresholds=[0.1, 0.3])(given.similarities)
    best = diffseg.Choose(segments=3)(given.similarities)
    return [(point.segments, point.score) for point in (*points, best)]


@call
def refine(given):
    return numbers(diffseg.Refine()(given.proposals).rows,
                   diffseg.RefineProjected()(given.proposals).rows)


@call
def tidy_and_fit(given):
    labels = diffseg.Tidy(min_area=0.02)(given.labels)
    return numbers(diffseg.FitBorders()(labels, given.photo).values)


@call
def affinity(given):
    return numbers(diffseg.Aggregate()(diffseg.Affinity(cells=64)(given.photo)).rows)


@call
def cross_attention(given):
    layer = diffseg.Layer(given.cross, grid=(12, 12), keys=(1, 5))
    return numbers(diffseg.AggregateCross(size=(40, 48))([layer]).values)


@call
def scores(given):
    score = diffseg.score(given.labels, [given.labels])
    return score.covering, diffseg.score_boundaries(given.labels, given.labels).f_measure


class Heap(ctypes.Structure):
    """glibc's mallinfo2."""
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]


def held():
    """Bytes that the process has from malloc."""
    gc.collect()
    libc = ctypes.CDLL("libc.so.6")
    libc.mallinfo2.restype = Heap
    heap = libc.mallinfo2()
    return heap.uordblks + heap.hblkhd


def refused(given, work, at):
    """What `work` gives while allocation `at` fails; None: a MemoryError."""
    shim.trust_fail_at(at)
    try:
        return work(given)
    except MemoryError:
        return None
    finally:
        shim.trust_fail_at(0)


def sweep(given, work):
    """How many allocations failed, and what is found."""
    whole = work(given)
    findings = []
    at = 0
    reached = True
    while reached:
        at += 1
        try:
            result = refused(given, work, at)
        except Exception as error:  # pylint: disable=broad-except
            findings.append(f"{at}: {type(error).__name__}: {error}")
            result = whole
        reached = shim.trust_reached() != 0
        if result not in (None, whole):
            findings.append(f"{at}: another result")
        if work(given) != whole:
            findings.append(f"{at}: the next call gives another result")
    return at - 1, findings


def main():
    given = prepare()
    good = True
    for name, work in CALLS.items():
        begin = time.monotonic()
        sweep(given, work)  # what is made once is there from now on
        before = held()
        count, findings = sweep(given, work)
        # A thing above 1 KiB that is lost at each failure would be more.
        if held() - before > 1024 * max(1, count // 4):
            findings.append(f"{held() - before} bytes are lost")
        print(f"{name}: {count} failures, {len(findings)} findings "
              f"({time.monotonic() - begin:.1f} s)", flush=True)
        for finding in findings[:10]:
            print(f"  {finding}")
        good = good and not findings
    return 0 if good else 1


if __name__ == "__main__":
    if "LD_PRELOAD" not in os.environ:
        with tempfile.TemporaryDirectory() as built:
            library = preload.build("fail_allocation", pathlib.Path(built))
            env = os.environ | {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
            sys.exit(subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode)
    import diffseg
    import numpy as np
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    sys.exit(main())
