# SPDX-License-Identifier: MIT
"""Threads, processes, signals, memory, and the build that was chosen."""
import gc
import json
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import diffseg
from conftest import attention, run_python

OPTIONS = diffseg.SegmentOptions(compare=diffseg.Compare(anchors=4),
                                 assign=diffseg.Assign(size=32))
MAKE = """
import sys, numpy as np, diffseg
values = np.random.default_rng(1).random((2, 64, 64), np.float32)
def work():
    return diffseg.segment([values], compare=diffseg.Compare(anchors=4))
"""


def test_the_same_bits_for_any_number_of_threads(random):
    layers = [attention(random, 3, (16, 16)), attention(random, 2, (8, 8))]
    results = []
    for threads in (1, 2, 3, 4, 8):
        with diffseg.ThreadLimit(threads):
            assert diffseg.thread_count() <= threads
            maps = diffseg.Aggregate()(layers)
            similarities = diffseg.Compare(anchors=8)(maps)
            results.append((maps.rows, similarities.data, diffseg.segment(layers, OPTIONS).values))
    for other in results[1:]:
        assert all(map(np.array_equal, results[0], other))


def test_thread_limits_nest_and_end_where_they_began():
    with diffseg.ThreadLimit(1) as limit:
        with diffseg.ThreadLimit(8):
            assert diffseg.thread_count() == 1
        with pytest.raises(ValueError, match="it is in use"):
            limit.__enter__()
        failures = []

        def end():
            try:
                limit.__exit__()
            except ValueError as error:
                failures.append(str(error))
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        assert failures == ["ThreadLimit: it ends in the thread that began it"]
    with pytest.raises(ValueError, match="ends in the thread that began it"):
        limit.__exit__()


def test_eight_threads_fifty_calls_each(random):
    images = [[attention(random, 2, (8, 8))] for _ in range(8)]
    expected = [diffseg.segment(image, OPTIONS).values for image in images]
    wrong, kept = [], [diffseg.Segmentation() for _ in images]

    def work(index):
        for _ in range(50):
            labels = diffseg.segment(images[index], OPTIONS, out=kept[index])
            if not np.array_equal(labels.values, expected[index]):
                wrong.append(index)
    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_other_threads_run_while_a_stage_works(random):
    """And storage in use is refused, not shared."""
    layers = [attention(random, 4, (32, 32))]
    workspace, done, refused, turns = diffseg.Workspace(), threading.Event(), [], 0

    def work():
        for _ in range(20):
            try:
                diffseg.Aggregate()(layers, workspace)
            except ValueError as error:
                refused.append(str(error))
        done.set()
    thread = threading.Thread(target=work)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # the other thread gets the GIL only when it is let go
    try:
        thread.start()
        while not done.is_set():
            turns += 1
            time.sleep(0)  # lets the GIL go, and has it back when the other one lets it go
            try:
                diffseg.Aggregate()(layers, workspace)
            except ValueError as error:
                refused.append(str(error))
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert turns > 0 and refused
    assert set(refused) == {"Workspace: it serves one call at a time; make another one"}


def in_child(values):
    return diffseg.segment([values], OPTIONS).values


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*:RuntimeWarning")
def test_children_answer(random, method):
    """DataLoader's workers are forked after the parent used its threads."""
    values = attention(random, 2, (8, 8))
    expected = in_child(values)
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        results = pool.map_async(in_child, [values] * 4).get(timeout=120)
    assert all(np.array_equal(result, expected) for result in results)


def test_the_interpreter_ends_while_views_live():
    assert run_python(MAKE + """
labels = work()
view = labels.values
layer = diffseg.Layer(values)
profile = diffseg.Profile()
keep = [view, layer, diffseg.Segmentation(), lambda: layer]
keep.append(keep)
sys.modules["kept"] = keep
print(view.shape)
""").strip() == "(512, 512)"


def test_control_c_is_answered_between_images():
    # Who is started in the background ignores SIGINT, unless it asks for it.
    listen = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = listen + MAKE + "print('ready', flush=True)\nwhile True: work()\n"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in errors and process.returncode != 0


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_thousand_calls_do_not_grow(random):
    layers = [attention(random, 2, (8, 8))]
    bad = layers[0].copy()
    bad[0, 3, 3] = np.nan

    def work(count):
        for index in range(count):
            diffseg.segment(layers, OPTIONS).values.sum()
            diffseg.Compare(anchors=3)(diffseg.Aggregate()(layers)).data.sum()
            try:
                diffseg.segment([bad] if index % 2 else [layers[0].astype(int)], OPTIONS)
            except ValueError:
                pass
    work(200)
    gc.collect()
    tracemalloc.start()
    before, size = tracemalloc.get_traced_memory()[0], resident()
    work(1000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000
    assert resident() - size < 8_000_000


def test_a_profile_hears_the_stages_of_its_time(random):
    layers = [attention(random, 2, (8, 8))]
    with diffseg.Profile() as profile:
        diffseg.segment(layers, OPTIONS)
    diffseg.segment(layers, OPTIONS)
    rows = {row.stage: row for row in profile.rows()}
    assert list(rows) == ["Aggregate", "Compare", "Merge", "Assign"]
    assert all(row.calls == 1 and row.milliseconds > 0 for row in rows.values())
    assert sum(row.share for row in rows.values()) == pytest.approx(1)
    assert rows["Aggregate"].bytes == layers[0].nbytes + 4 * 64 * 64
    events = json.loads(profile.trace())["traceEvents"]
    assert [event["name"] for event in events] == list(rows)


def test_the_build_is_told_and_one_openmp_is_loaded(capsys):
    config = diffseg.show_config("dicts")
    assert config["variant"] in config["variants"] and config["version"] == diffseg.__version__
    assert len(config["OpenMP libraries"]) == (1 if config["OpenMP"] else 0)
    diffseg.show_config()
    assert config["compiler"] in capsys.readouterr().out
    with pytest.raises(ValueError, match="mode must be"):
        diffseg.show_config("yaml")


def test_one_openmp_runtime_beside_torch():
    pytest.importorskip("torch", reason="torch is missing: see docs/python.md")
    for first, second in (("torch", "diffseg"), ("diffseg", "torch")):
        print(run_python(f"""
import {first}, {second}, diffseg, torch
torch.ones(500, 500) @ torch.ones(500, 500)
diffseg.segment([torch.ones(1, 256, 256)])
libraries = diffseg.show_config("dicts")["OpenMP libraries"]
assert len(libraries) == 1, libraries
print(libraries)
"""))


@pytest.mark.parametrize("variant", diffseg.show_config("dicts")["variants"])
def test_every_build_segments(random, variant):
    """Those that this processor runs, with nearly the same maps; others are refused at import."""
    level = diffseg.show_config("dicts")["x86-64 level"]
    code = """
import sys, numpy as np, diffseg
print(diffseg.show_config("dicts")["variant"])
print(diffseg.Aggregate()([np.load(sys.argv[1])]).rows.astype(float).tolist())
"""
    values = attention(random, 2, (8, 8))
    file = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"diffseg-{os.getpid()}.npy"
    np.save(file, values)
    try:
        if {"baseline": 0, "v3": 3, "v4": 4}[variant] > level:
            with pytest.raises(AssertionError, match="DIFFSEG_VARIANT must be one of"):
                run_python(code, file, DIFFSEG_VARIANT=variant)
            pytest.skip(f"this processor has no x86-64-{variant}")
        name, rows = run_python(code, file, DIFFSEG_VARIANT=variant).split("\n", 1)
    finally:
        file.unlink()
    assert name == variant
    np.testing.assert_allclose(json.loads(rows), diffseg.Aggregate()([values]).rows, atol=1e-7)


def test_an_unknown_build_is_refused():
    with pytest.raises(AssertionError, match="DIFFSEG_VARIANT must be one of .* got 'v9'"):
        run_python("import diffseg", DIFFSEG_VARIANT="v9")
