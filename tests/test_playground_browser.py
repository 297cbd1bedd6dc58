"""The playground in a real browser: Debian's chromium, if it and Playwright are there."""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
SECONDS = 120_000  # milliseconds to wait for what has to come: the machine may be busy


@pytest.fixture(scope="module")
def address():
    """Start the server as a user does."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fastnn", "playground", "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    yield re.search(r"http://\S+", process.stdout.readline())[0]
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    """Open pages; nothing may go wrong in them."""
    problems, contexts = [], []

    def open_page(settings="", lang="en", **options):
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: line.type == "error" and problems.append(line.text))
        page.goto(f"{address}&lang={lang}#{settings}")
        rest(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems


def wait(page, condition):
    """Wait for a condition in JavaScript; the page's policy forbids Playwright's own way."""
    end = time.monotonic() + SECONDS / 1000
    while not page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def rest(page):
    """Wait until the page is where it wants to be."""
    wait(
        page, "window.player && player.frame && player.frame.done && !player.busy && !player.wanted"
    )


def number(page, name):
    return page.evaluate(f"player.frame.{name}")


def drag(page, selector, start, end):
    """Drag from one place of an element to another, fractions of its size."""
    box = page.locator(selector).bounding_box()
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=6)
    page.mouse.up()


def test_a_spiral_is_chosen_and_trained_to_95_percent(open_page):
    page = open_page("data=moons")
    page.get_by_label("Data set").select_option("spirals")
    rest(page)
    page.get_by_role("button", name="Play").click()
    wait(page, "player.frame.accuracy > 0.95 && player.frame.test_accuracy > 0.9")
    page.get_by_role("button", name="Pause").click()
    rest(page)
    assert number(page, "epoch") > 10
    assert re.search(r"#data=spirals&epoch=\d+$", page.url)


def test_the_slider_trains_at_once_and_goes_back(open_page):
    page = open_page("data=xor&hidden=10&act=sigmoid&loss=half_squared_error&solver=sgd&lr=0.1")
    slider = page.get_by_label("Epochs: the slider retrains at once")
    first = number(page, "loss")
    slider.press("End")
    wait(page, "player.frame.epoch === 100001")
    assert number(page, "loss") < 0.01
    slider.press("Home")
    wait(page, "player.frame.epoch === 0")
    assert number(page, "loss") == first
    page.get_by_role("button", name="One epoch", exact=True).click()
    wait(page, "player.frame.epoch === 1")
    page.get_by_role("button", name="Back one epoch").click()
    wait(page, "player.frame.epoch === 0")
    assert number(page, "loss") == first


def test_a_step_of_one_sample_marks_it(open_page):
    page = open_page("data=clouds&batch=1&hidden=3")
    page.get_by_role("button", name="One sample").click()
    wait(page, "player.frame.batch === 1")
    assert page.evaluate("player.frame.arrays.batch.length") == 1


def test_a_point_is_dragged_and_the_loss_changes(open_page):
    page = open_page("data=four&model=linear&lr=0.1&epoch=100")
    before = number(page, "loss")
    # The point (4, 3) is 4/5 from the left and 0.3 from above, of a picture with margins.
    place = page.evaluate(
        """() => { const canvas = document.querySelector("canvas.plane");
        return [(34 + 0.8 * (canvas.clientWidth - 44)) / canvas.clientWidth,
                (10 + 0.3 * (canvas.clientHeight - 36)) / canvas.clientHeight]; }"""
    )
    drag(page, "canvas.plane", place, (0.3, 0.6))
    wait(page, "player.settings.data === 'drawn'")
    rest(page)
    assert number(page, "loss") != before
    assert number(page, "epoch") == 100
    assert "table=" in page.url


def test_points_are_added_and_moved_by_keys(open_page):
    page = open_page("data=xor&model=linear&lr=0.1&epoch=10")
    page.get_by_label("+ orange").check()
    page.locator("canvas.plane").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait(page, "player.data.n === 5")
    page.get_by_label("move", exact=True).check()
    page.locator("canvas.plane").focus()
    for key in ("ArrowRight", "Enter", "Shift+ArrowUp", "Enter"):
        page.keyboard.press(key)
    wait(page, "player.samples.points.at(-1) > 0.6")
    rest(page)
    assert page.evaluate("player.data.n") == 5
    last = page.evaluate("Array.from(player.samples.points.slice(-2))")
    assert last == pytest.approx([0.54, 0.7])  # from the middle a fiftieth right, a tenth up


def test_a_digit_is_drawn_and_named(open_page):
    page = open_page("data=digits&epoch=2")
    assert number(page, "test_accuracy") > 0.85
    page.locator("canvas.pad").scroll_into_view_if_needed()
    drag(page, "canvas.pad", (0.5, 0.15), (0.5, 0.85))
    wait(page, "document.querySelector('.named').textContent !== ''")
    assert page.locator(".named").inner_text() == "This is a 1"
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".named").inner_text() == ""


def test_back_ends_race_and_agree(open_page):
    page = open_page("data=spirals&n=60&hidden=5")
    page.get_by_label("Epochs of the race").fill("20")
    page.get_by_role("button", name="Race").click()
    wait(page, "document.querySelector('.result').dataset.value !== undefined")
    assert float(page.locator(".result").get_attribute("data-value")) < 1e-9
    rows = page.locator(".race tbody tr")
    assert rows.count() >= 2
    assert "python" in page.locator(".race tbody").inner_text()


@pytest.mark.parametrize("settings", ["data=spirals&epoch=40", "data=parabola&hidden=7,7&epoch=25"])
def test_an_address_that_is_loaded_again_gives_the_same_numbers(open_page, settings):
    page = open_page(settings)
    page.get_by_role("button", name="One epoch", exact=True).click()
    wait(page, "player.frame.done && !player.busy")
    rest(page)
    names = ("epoch", "loss", "test_loss", "accuracy", "deltas")
    before = [number(page, name) for name in names]
    weights = page.evaluate("Array.from(player.frame.arrays.w1)")
    page.reload()
    rest(page)
    assert [number(page, name) for name in names] == before
    assert page.evaluate("Array.from(player.frame.arrays.w1)") == weights


def test_layers_and_units_are_clicked(open_page):
    page = open_page("data=moons&hidden=4&epoch=5")
    page.get_by_role("button", name="Add a layer").click()
    wait(page, "player.settings.hidden.length === 2")
    page.get_by_role("button", name="Hidden layer 1: One unit more").click()
    wait(page, "player.settings.hidden[0] === 5")
    page.get_by_label("Hidden layer 2: Activation").select_option("relu")
    wait(page, "player.settings.act[1] === 'relu'")
    page.get_by_role("button", name="Hidden layer 1: Remove the layer").click()
    wait(page, "player.settings.hidden.length === 1")
    rest(page)
    assert page.evaluate("player.frame.sizes") == [2, 4, 1]
    assert number(page, "epoch") == 5


def test_a_csv_file_is_dropped(open_page):
    page = open_page()
    text = "a,b,kind\n" + "\n".join(
        f"{i % 7},{i % 5},{'yes' if i % 7 > 3 else 'no'}" for i in range(40)
    )
    page.set_input_files(
        "input[type=file]", {"name": "own.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    wait(page, "player.settings.data === 'csv'")
    rest(page)
    assert page.evaluate("player.data.classes") == ["no", "yes"]
    assert page.locator(".of-classes").inner_text().split() == ["no", "yes"]
    page.get_by_label("Up").select_option("-1")
    wait(page, "player.error || player.data.columns.length === 2")
    assert page.locator(".problem").is_visible()  # with one input the target must be a number


def test_the_program_and_files_are_taken_along(open_page):
    page = open_page("data=moons&hidden=4&epoch=3")
    with page.expect_download() as program:
        page.get_by_role("button", name="Python program").click()
    with open(program.value.path()) as file:
        assert "fastnn.MLPClassifier(" in file.read()
    for name, ending in (("Model file", ".safetensors"), ("Picture (PNG)", ".png")):
        with page.expect_download() as file:
            page.get_by_role("button", name=name).click()
        assert file.value.suggested_filename.endswith(ending)
        assert os.path.getsize(file.value.path()) > 1000


def test_a_chinese_page_is_chinese(open_page):
    page = open_page("data=spirals&epoch=2", lang="zh")
    text = page.locator("body").inner_text()
    for word in ("学习率", "损失", "数据集", "后端并排比赛", "带走"):
        assert word in text
    # What stays Latin: names of formulas, in lists, and of formats.
    page.evaluate("document.querySelectorAll('select').forEach((list) => list.remove())")
    text = page.locator("body").inner_text()
    names = r"fastnn|English|CSV|Python|NumPy|ONNX|Keras|PyTorch|PNG"
    assert not re.findall(r"[A-Za-z]{3,}", re.sub(names, "", text))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1920, 1080)])
def test_no_width_makes_the_page_scroll_sideways(open_page, width, height, scheme):
    size = {"width": width, "height": height}
    page = open_page("data=spirals&epoch=2", viewport=size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    small = page.evaluate(
        """[...document.querySelectorAll("button, select, input:not([type=file])")]
        .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 16 )
        .map((e) => e.outerHTML)"""
    )
    assert not small


def test_a_picture_is_embedded_in_a_page(open_page):
    page = open_page("data=xor&hidden=2&epoch=1")
    page.evaluate(
        """async () => {
            const { mountPlayground } = await import("/static/embed.js");
            const place = document.createElement("div");
            document.getElementById("main").prepend(place);
            const settings = "data=xor&hidden=10&act=tanh&lr=0.03&batch=0&epoch=3";
            const show = ["picture", "loss", "network", "deltas"];
            window.embedded = mountPlayground(place, settings, { knobs: ["lr", "epoch"], show });
        }"""
    )
    wait(page, "embedded.player.frame?.done")
    page.locator(".embed").get_by_label("Learning rate").press("ArrowRight")
    wait(page, "embedded.player.settings.lr === 0.1")
    page.locator(".embed").get_by_label("Epochs: the slider").press("End")
    wait(page, "embedded.player.frame.epoch === 100001")
    assert page.evaluate("embedded.player.frame.accuracy") == 1
    assert page.evaluate("player.frame.epoch") == 1  # the page's own stays where it is


def test_every_control_has_a_name(open_page):
    page = open_page("data=spirals&epoch=2")
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, select, input, canvas")]
        .filter((e) => e.offsetParent && !e.getAttribute("aria-label") && !e.labels?.length
            && !e.textContent.trim() && !e.closest("label"))
        .map((e) => e.outerHTML.slice(0, 100))"""
    )
    assert not nameless


def test_an_error_is_told_and_the_page_lives(open_page):
    page = open_page("data=moons&epoch=2")
    page.evaluate("player.change({hidden: [1000000]})")
    page.wait_for_selector(".problem:not([hidden])")
    assert "1000000" in page.locator(".problem").inner_text()
    page.get_by_role("button", name="One epoch", exact=True).click()
    wait(page, "player.frame.epoch === 3")
    assert page.locator(".problem").is_hidden()
