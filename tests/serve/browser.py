"""A headless Chromium that is controlled through a pipe with the DevTools protocol."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
#: seconds to wait for a page
PATIENCE = 60


class BrowserError(Exception):
    """The browser did not do what it was asked to."""


@contextlib.contextmanager
def browser(folder):
    """A page of a browser whose profile is in a folder."""
    to_browser, ours_out = os.pipe()
    ours_in, from_browser = os.pipe()

    def connect():
        # Chromium reads from descriptor 3, and writes to 4.
        high = os.dup(from_browser), os.dup(to_browser)
        os.dup2(os.dup(high[1]), 3)
        os.dup2(os.dup(high[0]), 4)

    process = subprocess.Popen(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}"],
        preexec_fn=connect,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        with open(ours_out, "wb", buffering=0) as out, open(ours_in, "rb") as answers:
            yield Page(out, answers)
    finally:
        process.kill()
        process.wait()


class Page:
    """A page in the browser."""

    def __init__(self, out, answers):
        self.out, self.answers, self.number, self.session, self.requests = out, answers, 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        self.call("Network.enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("method") == "Network.requestWillBeSent":
                self.requests.append(answer["params"]["request"]["url"])
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _read(self):
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "The browser has ended."
            data += byte
        return json.loads(data)

    def open(self, url, width, dark=False):
        """Open a URL in a window with a width in pixels."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=url)

    def evaluate(self, code):
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, code):
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE
        while not self._is_true(code):
            assert time.monotonic() < end, (code, self.evaluate("document.body.innerText"))
            time.sleep(0.05)

    def _is_true(self, code):
        try:
            return self.evaluate(code)
        except BrowserError:
            # The page was replaced by another one before it answered.
            return False

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key, code, modifiers=0):
        """Press a key; modifiers are 1 for Alt and 2 for Ctrl."""
        pressed = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        if key == "Enter":
            pressed["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", **pressed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def screenshot(self, path):
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def named(self, role):
        """The accessible names of all elements with a role."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        found = [n for n in nodes if n.get("role", {}).get("value") == role and not n["ignored"]]
        return [node.get("name", {}).get("value", "") for node in found]
