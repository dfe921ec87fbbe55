import pytest
from typer.testing import CliRunner

from launch.cli import app
from launch.commands.simulate import read_rate
from trendloom.errors import SettingsError

#: The source system's flags, in its spelling and in ours.
FLAGS = [
    "--seed",
    "--num_customers",
    "--num-customers",
    "--max_purchases_per_customer",
    "--max-purchases-per-customer",
    "--top_k",
    "--top-k",
    "--P_max",
    "--P-max",
    "--P_threshold",
    "--P-threshold",
    "--Penalty_exponent",
    "--Penalty-exponent",
]


@pytest.mark.parametrize("flag", FLAGS)
def test_the_sources_flags_are_taken_in_both_spellings(flag: str) -> None:
    # --rate nothing is refused only after all flags were understood
    result = CliRunner().invoke(app, ["simulate", flag, "1", "--rate", "nothing"])
    assert isinstance(result.exception, SettingsError)
    assert "--rate" in str(result.exception)


def test_the_threshold_may_be_a_fraction() -> None:
    result = CliRunner().invoke(app, ["simulate", "--P_threshold", "0.2", "--burst", "no-plan"])
    assert isinstance(result.exception, SettingsError)
    assert "ITEM@SECONDS" in str(result.exception)


def test_a_number_and_no_end_contradict_each_other() -> None:
    result = CliRunner().invoke(app, ["simulate", "--purchases", "5", "--endless"])
    assert isinstance(result.exception, SettingsError)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "fast", ""])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"Action: "):
        read_rate(text)
