from benchmarks.figures import Run, medians, ratios
from benchmarks.processes_seen import Busy
from benchmarks.watching import Sample, drained

STILL = Busy(0.0, 0.0)


def run(contender: str, number: int, rate: float, worker: float, *, finished: bool = True, good: bool = True) -> Run:
    return Run(
        contender=contender,
        preset="paper",
        round=number,
        purchases=1000,
        lists=1000,
        finished=finished,
        measured_s=1.0,
        drain_per_s=rate,
        startup_s=1.0,
        cpu_us_per_purchase={"worker": worker, "broker": 3.0, "store": 7.0},
        memory_mb={"worker": 100.0},
        others_share=0.0,
        checks={"one list a purchase": good},
    )


def samples(*lists: int) -> list[Sample]:
    return [Sample(float(at), count, {}, STILL) for at, count in enumerate(lists)]


def test_a_drain_ends_with_the_first_sample_that_has_everything() -> None:
    first, *rest = samples(10, 60, 100, 100)
    assert drained(first, rest, wanted=100, window_s=99.0).at_s == 2.0


def test_a_slow_one_is_measured_over_the_window() -> None:
    first, *rest = samples(10, 20, 30, 40, 50)
    assert drained(first, rest, wanted=100, window_s=3.0).lists == 40


def test_a_drain_that_is_still_going_has_not_ended() -> None:
    first, *rest = samples(10, 20)
    assert drained(first, rest, wanted=100, window_s=3.0) is first


def test_the_ratio_compares_within_a_round_so_a_slow_minute_hurts_both() -> None:
    runs = [
        *(run("ours", 1, 30_000.0, 20.0), run("plain", 1, 30_000.0, 20.0)),
        *(run("ours", 2, 10_000.0, 60.0), run("plain", 2, 10_000.0, 60.0)),
        *(run("ours", 3, 28_000.0, 22.0), run("plain", 3, 28_000.0, 22.0)),
    ]
    assert ratios(runs) == {"plain": {"drain": 1.0, "worker_cpu": 1.0, "all_cpu": 1.0}}


def test_the_ratio_says_how_much_faster_and_at_what_share_of_the_cpu() -> None:
    found = ratios([run("ours", 1, 30_000.0, 20.0), run("quix", 1, 10_000.0, 50.0)])
    assert found == {"quix": {"drain": 3.0, "worker_cpu": 0.4, "all_cpu": 0.5}}


def test_a_peer_without_ours_in_its_round_has_no_ratio() -> None:
    assert ratios([run("ours", 1, 30_000.0, 20.0), run("quix", 2, 10_000.0, 50.0)]) == {}


def test_medians_tell_of_one_round_that_did_not_do_the_job() -> None:
    told = medians([run("ours", 1, 1.0, 1.0), run("ours", 2, 3.0, 9.0, good=False), run("ours", 3, 2.0, 2.0)])
    assert (told["drain_per_s"], told["drain_per_s_range"]) == (2.0, [1.0, 3.0])
    assert told["cpu_us_per_purchase"]["worker"] == 2.0
    assert told["finished"]
    assert not told["checked"]
