import threading

from producers.pace import SteppedClock, SystemClock, wait_until


def test_waiting_moves_the_clock_to_the_time_that_was_asked_for() -> None:
    clock = SteppedClock(1000.0)
    assert wait_until(4250.0, clock, None)
    assert clock.now_ms() == 4250.0


def test_what_is_late_is_not_waited_for() -> None:
    clock = SteppedClock(1000.0)
    assert wait_until(900.0, clock, None)
    assert clock.waited_s == 0.0


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    stop.set()
    assert not wait_until(10**15, SystemClock(), stop)
    clock = SteppedClock(0.0)
    clock.wait(5.0, stop)
    assert clock.now_ms() == 0.0


def test_the_machines_clock_goes_forward() -> None:
    clock = SystemClock()
    before = clock.now_ms()
    assert wait_until(before + 1.0, clock, threading.Event())
    assert clock.now_ms() >= before + 1.0
