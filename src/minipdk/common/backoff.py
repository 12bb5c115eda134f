"""Growing pauses between attempts."""

from __future__ import annotations

import math


class BackOff:
    """Pauses in seconds: ``first``, then ``factor`` times as long each time, at most ``longest``.

    With ``immediate_first`` the first pause is none at all. An attempt that lasted ``healthy_after`` seconds starts the
    pauses over.
    """

    def __init__(
        self,
        first: float,
        longest: float,
        *,
        factor: float = 2.0,
        healthy_after: float = math.inf,
        immediate_first: bool = False,
    ) -> None:
        self._first, self._longest, self._factor, self._healthy_after = first, longest, factor, healthy_after
        self._initial = 0.0 if immediate_first else first
        self._next = self._initial

    def pause(self, lasted: float = 0.0) -> float:
        """How long to wait now, after an attempt that lasted ``lasted`` seconds."""
        pause = self._initial if lasted >= self._healthy_after else self._next
        self._next = min(pause * self._factor or self._first, self._longest)
        return pause
