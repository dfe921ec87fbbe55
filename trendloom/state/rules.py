"""The rules that a state is made under: half-lives, bounds, the landmark of forward decay.

They are written into the state when it is begun, and a worker with other rules is refused: numbers made under two
half-lives cannot be added. Read next: :mod:`trendloom.state.fold`.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from trendloom.errors import RulesChanged

__all__ = ["FORMAT", "LANDMARK_MS", "StateRules"]

#: Version of the layout of customers, items and journals in a store; others are refused.
FORMAT = 3
#: 2020-01-01T00:00:00Z. Forward decay measures time from here; any constant would do (see ``forward_decay``).
LANDMARK_MS = 1_577_836_800_000


@dataclass(frozen=True, slots=True)
class StateRules:
    """What shapes the state; changing one of these asks for ``trendloom state rebuild``."""

    slow_half_life_s: float = 86_400.0
    fast_half_life_s: float = 3_600.0
    history_length: int = 20
    co_purchase_window: int = 20
    co_purchase_keep: int = 96
    co_purchase_limit: int = 128
    trendiness_prior_weight: float = 5.0
    customer_shards: int = 64
    customer_ttl_s: int = 34_560_000
    max_items: int = 2_000_000

    @property
    def slow_rate_per_ms(self) -> float:
        """Decay rate ln 2 / half-life of the slow popularity, per millisecond."""
        return math.log(2.0) / (self.slow_half_life_s * 1000.0)

    @property
    def fast_rate_per_ms(self) -> float:
        """Decay rate ln 2 / half-life of the fast popularity, per millisecond."""
        return math.log(2.0) / (self.fast_half_life_s * 1000.0)

    def to_json(self) -> str:
        """Return the rules and the format version as the text that is kept in the store."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    def check_stored(self, stored: str) -> None:
        """Raise :class:`RulesChanged`, naming each difference, unless ``stored`` says the same rules.

        >>> StateRules().check_stored(StateRules().to_json())
        >>> StateRules(history_length=30).check_stored(StateRules().to_json())
        Traceback (most recent call last):
            ...
        trendloom.errors.RulesChanged: The state was made under other rules (history_length: stored 20, now 30). \
Action: set them back, or run `trendloom state rebuild`.
        """
        then, now = json.loads(stored), json.loads(self.to_json())
        changes = [
            f"{name}: stored {then.get(name)}, now {now.get(name)}"
            for name in sorted(then.keys() | now.keys())
            if then.get(name) != now.get(name)
        ]
        if not changes:
            return
        msg = (
            f"The state was made under other rules ({'; '.join(changes)}). "
            "Action: set them back, or run `trendloom state rebuild`."
        )
        raise RulesChanged(msg)
