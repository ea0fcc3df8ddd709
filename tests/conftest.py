import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from interpreter import examples

# The first call of a kernel compiles it: timing never decides a test. In CI the same examples are tried at every run.
settings.register_profile("kernels", parent=examples(100), deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("kernels")
# For mutation testing, which wants to know that a test fails, and not the simplest example of it.
settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate])


@pytest.fixture(scope="session", autouse=True)
def _state_directory(tmp_path_factory):
    """What outlives control units is kept where the tests are, also by those in processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("E4HIL_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def shared_data():
    """The folder of public measurements beside the repository, which is no part of it."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the measurements are kept beside the repository")
    return folder
