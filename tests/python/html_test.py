# SPDX-License-Identifier: MIT
"""The page of `segment --html` in a real browser: html_test.py SEGMENT [SCREENSHOT.png].

Drives a headless Chromium over its pipe, and skips (exit 77) where there is none.
"""
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

NAMES = ["chromium", "chromium-browser", "google-chrome"]
SKIPPED = 77
PHOTO = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "chelsea.jpg"


class Browser:
    """One tab; what it asked for and complained about is kept."""

    def __init__(self, program, profile):
        command_read, self.command = os.pipe()
        self.answer, answer_write = os.pipe()

        def wire():  # the browser reads commands from 3 and answers on 4
            low = os.dup(command_read), os.dup(answer_write)
            os.dup2(low[0], 3)
            os.dup2(low[1], 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
                 f"--user-data-dir={profile}", "--remote-debugging-pipe", "--window-size=1500,1000"]
        self.process = subprocess.Popen([program, *flags, "about:blank"], preexec_fn=wire,
                                        close_fds=False, stderr=subprocess.DEVNULL)
        os.close(command_read)
        os.close(answer_write)
        self.rest, self.events, self.number, self.session = b"", [], 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ["Page", "Network", "Runtime", "Log"]:
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.answer, 1 << 16)
            if not more:
                sys.exit("the browser ended")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.command, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, page):
        self.call("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def close(self):
        self.call("Browser.close")
        self.process.wait(timeout=60)


def check_quiet(browser, page):
    """Nothing was asked for but the page, and nobody complained."""
    asked = [event["params"]["request"]["url"] for event in browser.events
             if event["method"] == "Network.requestWillBeSent"]
    others = [url for url in asked if not url.startswith("data:")]
    assert others == [page.as_uri()], others
    loud = [event for event in browser.events
            if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert not loud, loud


def check_page(browser, names, labels, complaints):
    titles = browser.evaluate("[...document.querySelectorAll('h2')].map(e => e.textContent)")
    assert titles == names, titles
    error = browser.evaluate("document.querySelector('.failed p').textContent")
    assert error.startswith(names[1]) and error in complaints, error
    assert browser.evaluate("document.querySelectorAll('.failed').length") == 1
    assert browser.evaluate("document.querySelector('p').textContent") == "2 photos, 1 failed: 2"
    assert browser.evaluate("document.querySelectorAll('tbody tr').length") == labels
    sizes = browser.evaluate("Promise.all([...document.images].map(async e => {"
                             " await e.decode(); return [e.naturalWidth, e.naturalHeight]; }))")
    assert sizes == 5 * [[451, 300]], sizes  # the segments, four steps
    # A number stands on its own segment: the segments' picture has one colour around it.
    assert browser.evaluate("""(async () => {
      const mask = document.querySelector('.stage img');
      await mask.decode();
      const canvas = new OffscreenCanvas(mask.naturalWidth, mask.naturalHeight);
      const context = canvas.getContext('2d', {willReadFrequently: true});
      context.drawImage(mask, 0, 0);
      const swatches = [...document.querySelectorAll('td:first-child i')].map(
          e => getComputedStyle(e).backgroundColor);
      return [...mask.parentNode.querySelectorAll('b')].every((b, i) => {
        const at = side => parseFloat(side) / 100;
        const pixel = context.getImageData(at(b.style.left) * canvas.width,
                                           at(b.style.top) * canvas.height, 1, 1).data;
        return swatches[i] === `rgb(${pixel[0]}, ${pixel[1]}, ${pixel[2]})`;
      });
    })()"""), "a number does not stand on its segment"


def check_slider(browser, labels):
    shown = ("[...document.querySelectorAll('.sweep img')].filter(e => e.checkVisibility())"
             ".map(e => e.alt).concat(document.querySelector('.sweep output').value)")

    def move(step):
        return browser.evaluate(f"(range => {{ range.value = {step};"
                                " range.dispatchEvent(new Event('input')); })"
                                "(document.querySelector('.sweep input')), " + shown)

    # It begins at the run's threshold and shows the run's segments there.
    first = browser.evaluate(shown)
    assert first == 2 * [f"threshold 1.3: {labels} segments"], first
    steps = [move(step) for step in range(4)]
    for threshold, (picture, words) in zip(["0.7", "0.9", "1.1", "1.3"], steps):
        assert picture == words and words.startswith(f"threshold {threshold}: "), steps
    counts = [int(re.search(r": (\d+) ", words)[1]) for _, words in steps]
    assert counts[0] > counts[3] == labels, counts


def main():
    segment = os.path.abspath(sys.argv[1])
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        print("skipped:", ", ".join(NAMES), "are missing")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        names = ["a <b>&amp; \"c\" 'd'.jpg", "<script>alert(1)<_script>.jpg"]
        shutil.copy(PHOTO, folder / names[0])
        (folder / names[1]).write_text("no photo")
        page = folder / "pages" / "report.html"
        run = subprocess.run([segment, "--format", "csv", "--sweep", "0.7:1.3:0.2", "--html", page,
                              *names], cwd=folder, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
        assert run.returncode == 1, run
        table = folder / names[0].replace(".jpg", ".regions.csv")
        labels = len(table.read_text().splitlines()) - 1
        browser = Browser(program, folder / "profile")
        browser.open(page)
        check_page(browser, names, labels, run.stderr)
        check_slider(browser, labels)
        check_quiet(browser, page)
        if len(sys.argv) > 2:
            shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True)
            pathlib.Path(sys.argv[2]).write_bytes(base64.b64decode(shot["data"]))
        browser.close()


main()
