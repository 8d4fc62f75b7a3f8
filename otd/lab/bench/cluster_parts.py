"""Takes the processor time of whatever is called on a thing."""

from __future__ import annotations

import time
from typing import Any


class Timed:
    """Stands for `inner`, and adds up in `spent` the processor time of its methods, of the calling thread."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.spent = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **more: Any) -> Any:
            began = time.thread_time()
            try:
                return found(*args, **more)
            finally:
                self.spent += time.thread_time() - began

        return call
