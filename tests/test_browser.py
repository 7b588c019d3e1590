"""A notebook as its reader sees it. Needs playwright and a chromium, which nothing else does."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from record import NOTEBOOKS, ROOT

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")]
CHANGED = "old => ![undefined, old].includes(document.querySelector('.jp-RenderedImage img')?.src)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab on copies of the notebooks, with settings of its own."""
    folder, own = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("jupyter")
    for name in NOTEBOOKS:
        shutil.copy(ROOT / f"{name}.ipynb", folder)
    kinds = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = os.environ | dict.fromkeys(kinds, str(own)) | {"PYTHONPATH": str(ROOT)}
    for name in ("MPLBACKEND", "TF_CPP_MIN_LOG_LEVEL"):  # no reader has them
        environment.pop(name, None)
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        addresses = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stderr)
        yield next(filter(None, addresses)).group()
        server.terminate()  # which ends its kernels too
        server.communicate(timeout=60)


@pytest.fixture
def page():
    options = {"executable_path": CHROMIUM, "args": ["--disable-gpu", "--no-sandbox"]}
    with playwright.sync_playwright() as driver, driver.chromium.launch(**options) as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)  # ms; TensorFlow starts, and a machine may be busy
        yield page


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_sliders_share_a_screen_with_what_they_change(name, lab, page):
    expect = playwright.expect
    page.goto(f"{lab}/doc/tree/{name}.ipynb")
    page.get_by_text("| Idle").wait_for()  # the kernel
    cells = [page.locator(".jp-CodeCell").nth(number) for number in range(2)]
    for cell in cells:
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
    for cell in reversed(cells):  # the first one, last, is what the rest is about
        picture, players = cell.locator(".jp-RenderedImage img"), cell.locator("audio")
        players.first.wait_for(state="attached")
        cell.locator(".jp-Cell-outputWrapper").evaluate("output => output.scrollIntoView()")
        for part in (cell.locator(".widget-slider, .widget-dropdown").first, picture, players.last):
            expect(part).to_be_in_viewport(ratio=1)
    before = picture.get_attribute("src")
    cell.locator(".widget-slider .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(CHANGED, arg=before)
    expect(players.last).to_be_in_viewport(ratio=1)
    expect(page.locator("[data-mime-type*=error], [data-mime-type*=stderr]")).to_have_count(0)
