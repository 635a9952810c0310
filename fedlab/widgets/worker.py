"""One piece of work at a time, beside the notebook."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Worker"]


class Worker:
    """Does one piece of work at a time in a thread, then shows it.

    A widget's callback runs in the kernel's only loop: what takes long there would freeze every
    cell and every other button, Pause among them.

    Examples
    --------
    >>> worker = Worker()
    >>> worker.start(lambda: print("done"), lambda: print("shown")), worker.wait(10)
    done
    shown
    (True, True)
    """

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether work is under way; showing it does not count."""
        return self._busy.locked()

    def start(self, work: Callable[[], None], show: Callable[[], None]) -> bool:
        """Begin `work` unless some is under way; say whether it was begun.

        Who sees a result may click before all of it is shown: that click counts, and its work
        waits for the rest to be shown. Neither function may raise: nobody would hear of it.
        """
        if not self._busy.acquire(blocking=False):
            return False
        before = self._thread

        def run() -> None:
            try:
                if before is not None:
                    before.join()
                work()
            finally:
                self._busy.release()
            show()

        # A daemon, so that a kernel can end while a site is slow.
        thread = threading.Thread(target=run, name="fedlab-workbench", daemon=True)
        self._thread = thread
        thread.start()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all is done and shown, at most `timeout` seconds; say whether it is."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()
