"""Takes the pictures of the dashboard for the documentation, of a car that drives: python tests/bench/dashboard/screenshots.py"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from browser import Dashboard, opened, wait_for

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
SCENARIO = "double_lane_change"
MOMENT = 2.6  # [s] of the scenario: in the middle of the second change
CHANGED = {"yaw_control.gain": "100000", "torque_split.front_share": "0.3"}


def main(folder: Path, scheme: str = "light") -> None:
    with tempfile.TemporaryDirectory() as state:
        dashboard = Dashboard(SCENARIO, state=Path(state))
        try:
            dashboard.wait_until_there()
            with opened(dashboard.address, color_scheme=scheme) as (page, _):
                page.set_viewport_size({"width": 1440, "height": 810})
                page.get_by_role("button", name="Unlock this page").click()
                page.get_by_label("code").fill(dashboard.code)
                page.get_by_role("button", name="Unlock", exact=True).click()
                for path, value in CHANGED.items():
                    page.locator(".entry").filter(has=page.get_by_text(path, exact=True)).locator("input").first.fill(value)
                page.get_by_text("2 of").wait_for()
                page.get_by_role("button", name="Start").click()
                wait_for(lambda: scenario_time(page) >= MOMENT, "the second change of lane", 120.0)
                page.screenshot(path=folder / "dashboard.png")
                page.get_by_role("button", name="Stop").click()
                page.get_by_role("tab", name="Compare A/B").click()
                page.get_by_role("button", name="Drive both").click()
                wait_for(lambda: page.locator(".compare .tracks canvas").count() == 6, "the plots of both", 120.0)
                page.mouse.move(700, 790)
                page.wait_for_timeout(1500)
                page.screenshot(path=folder / "dashboard_compare.png")
        finally:
            dashboard.end()


def scenario_time(page: Any) -> float:
    found = re.search(r"(\d+\.\d) of", page.locator(".q-header").inner_text())
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES, *sys.argv[2:3])
