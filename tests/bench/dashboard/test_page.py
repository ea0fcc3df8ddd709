"""The page in a real browser, before a real run; what the run does is read from its frames."""

import json
import urllib.error
import urllib.request

import pytest
from browser import Dashboard, browser, front_torque, opened, wait_for
from interpreter import needs_compiler
from platforms import needs_absolute_sleep

from hil.network.database import load_network

pytest.importorskip("nicegui", reason="the extra dashboard is not installed")
pytest.importorskip("playwright", reason="playwright is not installed")
pytestmark = [
    needs_absolute_sleep,
    needs_compiler,
    pytest.mark.skipif(browser() is None, reason="no Chromium on this machine"),
]

# Three quarters of a pedal up a hill that keeps the car below its top speed: the motors pull for ever.
HILL = """
title = "Up a steep hill"
duration = 600.0

[stimulus]
time          = [0.0, 0.2, 600.0]
accelerator   = [0.0, 0.75, 0.75]
brake         = [0.0, 0.0, 0.0]
steering_deg  = [0.0, 0.0, 0.0]
grade_percent = [25.0, 25.0, 25.0]
"""
PULLS = 60.0  # [Nm] of the front motor, at least, on that hill
# A busy machine makes the loop late: it makes up for that, and silences that are longer than that are no faults.
SILENT = ("front_inverter", "rear_inverter", "battery_state", "battery_limit", "pedals", "front_wheels", "rear_wheels")
PATIENT = "[input_qualification]\n" + "".join(f"{part}_timeout = 2.0\n" for part in SILENT)
LOW = 0.04  # place on a slider, from its beginning
HELD_BACK = 45.0  # [Nm] at most when the slider of the highest torque, which ends at 680 Nm, is there


@pytest.fixture(scope="module")
def network():
    return load_network("leaf_ze1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="module")
def recording(folder):
    return folder / "run.blf"


@pytest.fixture(scope="module")
def dashboard(folder, recording):
    hill, patient = folder / "hill.toml", folder / "patient.toml"
    hill.write_text(HILL)
    patient.write_text(PATIENT)
    running = Dashboard(
        str(hill), "--record", str(recording), "--out", str(folder), "--overrun", "catch-up", "--calibration", str(patient),
        state=folder / "state",
    )  # fmt: skip
    try:
        running.wait_until_there()
        yield running
    finally:
        assert running.end() == 0


@pytest.fixture(scope="module")
def browsing(dashboard):
    with opened(dashboard.address) as page_and_errors:
        yield page_and_errors


@pytest.fixture
def page(browsing):
    page, errors = browsing
    yield page
    assert not errors


def entry(page, path):
    return page.locator(".entry").filter(has=page.get_by_text(path, exact=True))


def cancel(page):
    """Leave the dialog that asks for the code."""
    page.get_by_text("Unlock this page", exact=True).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Unlock this page", exact=True).wait_for(state="detached")


def is_unlocked(page, dashboard):
    """Try the code; whether it was taken."""
    page.get_by_role("button", name="Unlock this page").click()
    page.get_by_label("code").fill(dashboard.code)
    page.get_by_role("button", name="Unlock", exact=True).click()
    unlocked = page.get_by_role("button", name="Lock this page: look only")
    unlocked.or_(page.get_by_text("s after a wrong code")).wait_for()
    if unlocked.count():
        return True
    cancel(page)
    return False


def status_of(address, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(address, headers=headers)).status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_without_the_token_there_is_no_page(dashboard):
    for path in ("", "?token=no", "dashboard/page.js", "_nicegui_ws/socket.io/?EIO=4&transport=polling", "stream"):
        assert status_of(dashboard.site + path) == 403


def test_the_page_opens_with_the_car_that_is_off(page):
    page.get_by_text("The car is off.").wait_for()
    assert page.locator("#wheels > g").count() == 4
    assert page.locator(".plot canvas").count() == 3


def test_a_locked_page_changes_nothing_even_when_its_script_is_told_to(page, dashboard, folder):
    slider = entry(page, "front.motor_torque_max").locator(".q-slider")
    assert "disabled" in slider.get_attribute("class")
    element = slider.get_attribute("id").removeprefix("c")
    page.evaluate(f"getElement({element}).$emit('change', 10)")
    page.evaluate(f"getElement({element}).$emit('update:modelValue', 10)")
    page.get_by_role("button", name="Start").click()
    cancel(page)
    page.get_by_text("as it was started").wait_for()
    assert not (folder / "state" / "dashboard" / "calibration_journal.jsonl").read_bytes()
    assert not dashboard.said("start:")


def test_a_wrong_code_unlocks_nothing(page, dashboard):
    page.get_by_role("button", name="Unlock this page").click()
    page.get_by_label("code").fill("x" + dashboard.code)
    page.get_by_role("button", name="Unlock", exact=True).click()
    page.get_by_text("that is not the code").wait_for()
    cancel(page)
    assert page.get_by_role("button", name="Lock this page: look only").count() == 0


def test_a_slider_that_is_moved_changes_the_torque_on_the_bus(page, dashboard, recording, network):
    wait_for(lambda: is_unlocked(page, dashboard), "the end of the delay after a wrong code")
    page.get_by_role("button", name="Start").click()
    wait_for(lambda: front_torque(recording, network) > PULLS, "torque on the hill")
    slider = entry(page, "front.motor_torque_max").locator(".q-slider")
    box = slider.bounding_box()
    slider.click(position={"x": LOW * box["width"], "y": box["height"] / 2})
    wait_for(lambda: abs(front_torque(recording, network)) < HELD_BACK, "less torque in the frames")
    page.get_by_text("values differ from the reference").wait_for()
    page.get_by_role("button", name="Undo the last change").click()
    page.get_by_text("as it was started").wait_for()
    wait_for(lambda: front_torque(recording, network) > PULLS, "the torque of before")


def test_the_car_that_drives_is_seen(page):
    page.get_by_text("READY", exact=True).wait_for()
    assert page.locator("#gear").text_content() == "D"
    wait_for(lambda: float(page.locator("#speed").text_content()) > 20.0, "a speed")
    wait_for(lambda: float(page.locator("#motor-text-0").text_content().split()[0]) > 300.0, "a torque at the wheel")
    assert "kW" in page.locator("#power-now").text_content()
    assert "set by" in page.locator("#discharge-limit").text_content()


def test_a_fault_is_told_in_words_with_what_it_does(page):
    page.get_by_placeholder("search values").fill("input_qualification.voltage_max")
    value = entry(page, "input_qualification.voltage_max").locator("input").first
    value.fill("100")
    page.get_by_role("tab", name="Faults").click()
    page.get_by_text("battery state invalid").wait_for()
    page.get_by_text("no torque").first.wait_for()


def test_a_value_beyond_its_limits_is_refused_with_the_limits(page, folder):
    page.get_by_role("tab", name="Calibration").click()
    entry(page, "input_qualification.voltage_max").locator("input").first.fill("9000")
    page.get_by_text("allowed is 0 to 2000 V").wait_for()
    journal = (folder / "state" / "dashboard" / "calibration_journal.jsonl").read_text().splitlines()
    assert [change["to"] for line in journal for change in json.loads(line).get("changes", [])][-1] == 100.0


def test_a_scenario_is_stopped(page, dashboard):
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("car off").wait_for()
    assert dashboard.said("the run is over")


def test_two_calibrations_are_compared_on_the_same_manoeuvre(page):
    page.get_by_role("tab", name="Compare A/B").click()
    page.locator(".view").get_by_label("manoeuvre").click()
    page.get_by_role("option", name="Tip-in").click()
    page.get_by_role("button", name="Drive both").click()
    page.get_by_text("B did not reach the end of the manoeuvre").wait_for(timeout=600e3)
    page.get_by_text("input_qualification.voltage_max: 1000 → 100 V").wait_for()
    page.get_by_role("tab", name="Drive", exact=True).click()
    page.get_by_role("button", name="Undo the last change").click()
    page.get_by_text("as it was started").wait_for()
    page.get_by_role("tab", name="Compare A/B").click()
    page.get_by_role("button", name="Drive both").click()
    page.get_by_text("The calibrations are the same.").wait_for()
    wait_for(lambda: page.locator(".compare .tracks canvas").count() == 6, "six plots")
    assert page.locator(".compare td", has_text="+").count() == 0
