import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.pace import SteppedClock
from producers.replay import ReplayProgress, Resumption, replay_log
from producers.sender import RecordingSender
from trendloom.errors import BrokerUnavailable, LogFormatError
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log

NOW_MS = 1_700_000_000_000.0
ROWS = 1200


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PurchaseLog:
    path = tmp_path_factory.mktemp("log") / "log.csv"
    lines = [f"c{row % 17},i{row % 5},{1_600_000_000_000 + (row * 7919) % 100_003 * 10}" for row in range(ROWS)]
    path.write_text("customer_id,item_id,occurred_at\n" + "\n".join(lines) + "\n")
    return read_log(path)


def test_all_purchases_are_sent_in_event_time_order_as_fast_as_possible(log: PurchaseLog) -> None:
    sender, clock = RecordingSender(delay=50), SteppedClock(NOW_MS)
    summary = replay_log(log, sender, clock=clock)
    assert sender.purchases == list(log.purchases())
    assert (summary.sent, summary.acknowledged, summary.total, summary.finished) == (ROWS, ROWS, ROWS, True)
    assert clock.waited_s == 0.0
    assert {record.sent_at_ms for record in sender.records} == {int(NOW_MS)}


@pytest.mark.parametrize("speed", [1.0, 60.0, 0.5])
def test_gaps_are_the_logs_divided_by_the_speed(log: PurchaseLog, speed: float) -> None:
    sender, clock = RecordingSender(), SteppedClock(NOW_MS)
    summary = replay_log(log, sender, speed=speed, clock=clock)
    origin = sender.purchases[0].occurred_at
    for record in sender.records:
        assert abs(record.sent_at_ms - NOW_MS - (record.purchase.occurred_at - origin) / speed) <= 1
    assert summary.wall_s == pytest.approx((sender.purchases[-1].occurred_at - origin) / speed / 1000, abs=0.002)


def test_a_slow_sender_does_not_move_the_intended_times(log: PurchaseLog) -> None:
    clock = SteppedClock(NOW_MS)

    class SlowSender(RecordingSender):
        def send(self, purchase: object, *, sent_at_ms: int) -> None:
            super().send(purchase, sent_at_ms=sent_at_ms)  # type: ignore[arg-type]
            clock.at_ms += 5000.0

    sender = SlowSender()
    replay_log(log, sender, speed=1.0, clock=clock)
    origin = sender.purchases[0].occurred_at
    assert sender.records[-1].sent_at_ms == int(NOW_MS + sender.purchases[-1].occurred_at - origin)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(breaks=st.lists(st.integers(0, ROWS), max_size=4), delay=st.integers(0, 300))
def test_however_often_it_breaks_a_resumed_replay_misses_nothing_and_repeats_only_what_was_in_flight(
    log: PurchaseLog, tmp_path_factory: pytest.TempPathFactory, breaks: list[int], delay: int
) -> None:
    resumption = Resumption(tmp_path_factory.mktemp("resume") / "deep" / "replay.json")
    arrived: list[int] = []
    places = {event_id: place for place, event_id in enumerate(log.event_ids())}
    for fail_after in [*breaks, None]:
        sender = RecordingSender(delay=delay, fail_after=fail_after)
        first = resumption.load(log)
        failed = False
        try:
            replay_log(log, sender, first=first, resumption=resumption, clock=SteppedClock(NOW_MS))
        except BrokerUnavailable:
            failed = True
        sent = [places[purchase.event_id] for purchase in sender.purchases]
        assert sent == list(range(first, first + len(sent)))
        assert resumption.load(log) == first + sender.acknowledged
        assert failed == (fail_after is not None and fail_after < ROWS - first)
        arrived += sent
    assert set(arrived) == set(range(ROWS))
    assert resumption.load(log) == ROWS
    assert len(arrived) - ROWS <= delay * len(breaks)


def test_a_stop_ends_the_replay_and_a_resumption_goes_on_there(log: PurchaseLog, tmp_path: Path) -> None:
    stop, resumption = threading.Event(), Resumption(tmp_path / "replay.json")
    sender = RecordingSender()

    def after_some(reached: ReplayProgress) -> None:
        if reached.sent >= 500:
            stop.set()

    summary = replay_log(log, sender, stop=stop, progress=after_some, resumption=resumption, clock=SteppedClock(NOW_MS))
    assert (summary.sent, summary.finished) == (500, False)
    rest = replay_log(log, sender, first=resumption.load(log), resumption=resumption, clock=SteppedClock(NOW_MS))
    assert (rest.first, rest.sent, rest.acknowledged, rest.finished) == (500, ROWS - 500, ROWS - 500, True)
    assert sender.purchases == list(log.purchases())


def test_progress_ends_with_the_last_purchase(log: PurchaseLog) -> None:
    told: list[ReplayProgress] = []
    replay_log(log, RecordingSender(), progress=told.append, clock=SteppedClock(NOW_MS))
    assert [reached.sent for reached in told] == [500, 1000, ROWS]
    assert told[-1] == ReplayProgress(ROWS, ROWS, ROWS, int(log.occurred_at_ms[-1]))


def test_the_resumption_is_saved_every_second_while_it_runs(log: PurchaseLog, tmp_path: Path) -> None:
    resumption = Resumption(tmp_path / "replay.json")
    saved = []

    def look(reached: ReplayProgress) -> None:
        if resumption.path.exists():
            saved.append((resumption.load(log), reached.sent))

    replay_log(log, RecordingSender(), speed=20.0, progress=look, resumption=resumption, clock=SteppedClock(NOW_MS))
    assert len({acknowledged for acknowledged, _ in saved}) > 30  # a run of 50 s
    assert all(0 <= sent - acknowledged < 100 for acknowledged, sent in saved)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format_version": 2, "order_key": "x", "acknowledged": 1}', '{"format_version": 1}']
)
def test_a_file_that_is_no_resumption_of_this_log_is_refused(log: PurchaseLog, tmp_path: Path, content: str) -> None:
    (tmp_path / "replay.json").write_text(content)
    with pytest.raises(LogFormatError, match=r"Action: "):
        Resumption(tmp_path / "replay.json").load(log)


def test_another_seed_or_window_cannot_be_resumed(log: PurchaseLog, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer_id,item_id,occurred_at\nc,i,2020-09-18\nd,i,2020-09-18\n")
    resumption = Resumption(tmp_path / "replay.json")
    resumption.save(read_log(path), 1)
    assert resumption.load(read_log(path)) == 1
    with pytest.raises(LogFormatError, match="another log, mapping, seed or window"):
        resumption.load(read_log(path, seed=2))
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(log: PurchaseLog, speed: float) -> None:
    with pytest.raises(LogFormatError, match=r"Action: "):
        replay_log(log, RecordingSender(), speed=speed)


def test_an_empty_window_is_a_replay_of_nothing(log: PurchaseLog, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer_id,item_id,occurred_at\nc,i,2020-09-18\n")
    empty = read_log(path, to_ms=0)
    summary = replay_log(empty, RecordingSender(), clock=SteppedClock(NOW_MS))
    assert (summary.sent, summary.finished, summary.last_event_ms) == (0, True, None)
