# SPDX-License-Identifier: MIT
"""Photos by batches: in this process, and on a cluster of two nodes of which a worker is killed."""
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from diffseg.__main__ import main
from diffseg.ray import Segmenter, segment_photos

Image = pytest.importorskip("PIL.Image")


def make_photos(folder, count, random, side=48):
    """Flat fields with some noise, half of them in a sub-folder."""
    (folder / "more").mkdir(parents=True)
    paths = []
    for index in range(count):
        values = random.integers(0, 255, (3, 1, 1, 3)).repeat(side // 3, 1).repeat(side, 2)
        values = values.reshape(-1, side, 3) + random.integers(0, 20, (side, side, 3))
        name = f"more/{index}.PNG" if index % 2 else f"{index}.png"
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(folder / name, "PNG")
        paths.append(folder / name)
    return paths


def batch_of(paths, root=None):
    batch = {"path": np.array([str(path) for path in paths])}
    if root:
        batch["place"] = np.array([str(path.relative_to(root).with_suffix("")) for path in paths])
    return batch


def test_results_are_those_of_the_command_line(tmp_path, random):
    paths = make_photos(tmp_path / "in", 2, random)
    rows = Segmenter(tmp_path / "out", overlay=True, threshold=0.9)(batch_of(paths))
    assert main([*map(str, paths), "-o", str(tmp_path / "cli"), "-t", "0.9"]) == 0
    for index, path in enumerate(paths):
        for kind in ("labels", "overlay"):
            name = f"{path.stem}.{kind}.png"
            assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "cli" / name).read_bytes()
        sidecar = json.loads((tmp_path / "out" / f"{path.stem}.json").read_text())
        assert sidecar["size"] == [48, 48] and sidecar["labels"] == rows["segments"][index]
        assert rows["label_file"][index] == str(tmp_path / "out" / f"{path.stem}.labels.png")
    assert rows["ok"].all() and not rows["skipped"].any()


def test_images_in_labels_out(tmp_path, random):
    paths = make_photos(tmp_path / "in", 2, random)
    images = np.stack([np.asarray(Image.open(path)) for path in paths])
    rows = Segmenter(exact=True)({"image": images})
    files = Segmenter(tmp_path / "out", exact=True)(batch_of(paths))
    for index, file in enumerate(files["label_file"]):
        assert (rows["labels"][index] == np.asarray(Image.open(file))).all()
        assert rows["labels"][index].dtype == np.int32
    assert not Segmenter()({"image": np.zeros((1, 4, 4, 7), np.uint8)})["ok"][0]
    no_name = Segmenter(tmp_path / "out")({"image": images[:1]})
    assert "need the column path or place" in no_name["error"][0]
    with pytest.raises(ValueError, match="must have the column path or image, got photo"):
        Segmenter()({"photo": [1]})


def test_what_is_done_is_not_done_again(tmp_path, random):
    paths = make_photos(tmp_path / "in", 3, random, side=24)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/0.json").write_text('{"mine": 1}')  # somebody else's
    first = Segmenter(tmp_path / "out", exact=True)(batch_of(paths))
    assert first["sidecar"][0].endswith("0.segment.json")
    dates = {file: os.stat(file).st_mtime_ns for file in first["label_file"]}
    again = Segmenter(tmp_path / "out", exact=True)(batch_of(paths))
    assert again["skipped"].all() and (again["segments"] == first["segments"]).all()
    assert dates == {file: os.stat(file).st_mtime_ns for file in first["label_file"]}
    assert not Segmenter(tmp_path / "out", force=True, exact=True)(batch_of(paths))["skipped"].any()
    assert not Segmenter(tmp_path / "out", threshold=0.5, exact=True)(batch_of(paths))["skipped"].any()
    os.utime(paths[0], (1, 1))
    os.unlink(first["label_file"][1])
    third = Segmenter(tmp_path / "out", threshold=0.5, exact=True)(batch_of(paths))
    assert third["skipped"].tolist() == [False, False, True]
    assert (tmp_path / "out/0.json").read_text() == '{"mine": 1}'


def test_a_broken_photo_is_a_row_and_the_others_go_on(tmp_path, random):
    paths = make_photos(tmp_path / "in", 2, random)
    broken = tmp_path / "in/broken.png"
    broken.write_bytes(paths[0].read_bytes()[:80])
    long = paths[0].with_name("n" * 236 + ".png")
    long.write_bytes(paths[0].read_bytes())
    rows = Segmenter(tmp_path / "out", exact=True)(batch_of([broken, *paths, tmp_path / "none.jpg", long]))
    assert rows["ok"].tolist() == [False, True, True, False, True]
    assert str(broken) in rows["error"][0] and "none.jpg" in rows["error"][3]
    assert not list((tmp_path / "out").rglob("*.tmp"))
    away = Segmenter(tmp_path / "out", exact=True)(batch_of(paths[:1]) | {"place": np.array(["../away"])})
    assert "must lie below" in away["error"][0] and not (tmp_path / "away.labels.png").exists()


@pytest.mark.parametrize("options, words", [
    ({"threshold": -1}, "must be numbers > 0, got -1"), ({"thresholds": 1}, "is no option here"),
    ({"segments": 3, "threshold": 1}, "not allowed with"), ({"anchors": (4, 0)}, "HEIGHTxWIDTH"),
])
def test_mistakes_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Segmenter(**options)


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason="ray is missing: python/tests/run.sh --ray")
    pytest.importorskip("ray.data")
    from ray.cluster_utils import Cluster
    ray.shutdown()  # another test may have begun one
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    assert ray.cluster_resources()["CPU"] == 2
    yield ray
    ray.shutdown()
    nodes.shutdown()


def kill_the_first_worker(output, killed):
    """Waits for the first sidecar, and kills the process that wrote it."""
    for _ in range(1200):
        for sidecar in output.rglob("*.json"):
            killed.append(json.loads(sidecar.read_text())["pid"])
            os.kill(killed[0], signal.SIGKILL)
            return
        time.sleep(0.05)


def test_a_cluster_loses_nothing_when_a_worker_is_killed(tmp_path, random, cluster):
    paths = make_photos(tmp_path / "in", 40, random)
    (tmp_path / "in/broken.jpg").write_bytes(b"no photo")
    (tmp_path / "in/._0.png").write_bytes(b"AppleDouble")
    killed = []
    killer = threading.Thread(target=kill_the_first_worker, args=(tmp_path / "out", killed))
    killer.start()
    done = segment_photos(tmp_path / "in", tmp_path / "out", exact=True).take_all()
    killer.join()
    assert killed and killed[0] != os.getpid()
    rows = {row["place"]: row for row in done}
    places = sorted(str(path.relative_to(tmp_path / "in").with_suffix("")) for path in paths)
    assert len(done) == len(rows) == 41 and sorted(rows) == sorted([*places, "broken"])
    assert [place for place, row in rows.items() if not row["ok"]] == ["broken"]
    assert "broken.jpg" in rows["broken"]["error"]
    # Nothing is lost or doubled or half, and all is as one process makes it.
    files = sorted(str(file.relative_to(tmp_path / "out"))
                   for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert files == sorted(place + kind for place in places for kind in (".json", ".labels.png"))
    Segmenter(tmp_path / "one", exact=True)(batch_of(paths, tmp_path / "in"))
    workers = set()
    for place in places:
        name = f"{place}.labels.png"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
        workers.add(json.loads((tmp_path / "out" / f"{place}.json").read_text())["pid"])
    assert len(workers) >= 2
    # What is done is not done again.
    again = segment_photos(tmp_path / "in", tmp_path / "out", exact=True).take_all()
    assert sum(row["skipped"] for row in again) == 40


def test_a_dataset_of_images(tmp_path, random, cluster):
    from diffseg.ray import segment_dataset
    paths = make_photos(tmp_path / "in", 4, random)
    images = [np.asarray(Image.open(path))[:40 + index] for index, path in enumerate(paths)]
    dataset = cluster.data.from_items([{"image": image, "number": index}
                                       for index, image in enumerate(images)])
    rows = segment_dataset(dataset, exact=True, threshold=1.2, actors=1).take_all()
    expected = Segmenter(exact=True, threshold=1.2)
    assert len(rows) == 4 and all(row["ok"] for row in rows)
    for image in images:
        labels = expected({"image": image[None]})["labels"][0]
        assert any(row["labels"].shape == labels.shape and (row["labels"] == labels).all()
                   for row in rows)
