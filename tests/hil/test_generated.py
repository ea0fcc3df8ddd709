from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from hil.generated import import_generated


def test_a_second_thread_waits_until_the_module_is_complete() -> None:
    text = "import time\ntime.sleep(0.2)\nlast = 1\n"
    together = Barrier(4)

    def read(_: int) -> int:
        together.wait()
        return int(import_generated("slow", text).last)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == [1] * 4
