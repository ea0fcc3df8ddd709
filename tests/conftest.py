from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """The folder of public measurements beside the repository, which is no part of it."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the measurements are kept beside the repository")
    return folder
