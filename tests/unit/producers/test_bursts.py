import itertools

import pytest

from producers.bursts import Burst, PlannedBurst, parse_burst
from trendloom.errors import SettingsError


def test_a_burst_begins_at_its_share_and_only_fades() -> None:
    burst = Burst(row=1, began=50)
    shares = [burst.share(number) for number in range(50, 2000)]
    assert shares[0] == pytest.approx(0.3)
    assert all(later < earlier for earlier, later in itertools.pairwise(shares))


def test_an_item_may_have_an_at_in_its_id() -> None:
    assert parse_burst("a@b@1.5") == PlannedBurst("a@b", 1.5)


@pytest.mark.parametrize("text", ["shirt", "@3", "shirt@", "shirt@soon", "shirt@-1", "shirt@inf", "shirt@nan"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"Action: "):
        parse_burst(text)
