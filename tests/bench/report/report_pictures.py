"""Takes the pictures of reports for the documentation: python tests/bench/report/report_pictures.py [name...]

That of the search takes some minutes, once: a search that is there goes on.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MARGIN = 16  # [px]
# picture -> the command whose report it is of, and the heading of the section
PICTURES = {
    "report": ("drive double_lane_change", "Handling"),
    "compare": ("compare", "Lift-off in a curve, friction 0.5"),
    "tune": ("tune handling", "The search"),
}


def main(names: list[str]) -> None:
    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, BROWSERS)))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for name in names or PICTURES:
            command, heading = PICTURES[name]
            folder = ROOT / "out" / "pictures" / name
            subprocess.run([sys.executable, "-m", "bench.cli", *command.split(), "--out", str(folder)], check=True, cwd=ROOT)
            take(page, folder / "report.html", heading, IMAGES / f"{name}.png")
        browser.close()


def take(page: Page, report: Path, heading: str, target: Path) -> None:
    """A picture of one section."""
    page.goto(report.as_uri())
    section = page.locator("section").filter(has=page.get_by_role("heading", name=heading, exact=True))
    section.scroll_into_view_if_needed()
    section.locator("canvas, svg").first.wait_for()
    page.wait_for_timeout(1000)
    box = section.bounding_box()
    assert box
    top = page.evaluate("window.scrollY") + box["y"]
    clip = {"x": 0, "y": top - MARGIN, "width": page.viewport_size["width"], "height": box["height"] + 2 * MARGIN}
    page.screenshot(path=target, full_page=True, clip=clip)


if __name__ == "__main__":
    main(sys.argv[1:])
