"""What a new user meets first: things to try, an example in every help, options from a file, completion."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kinetoscope.cli.app import app
from kinetoscope.cli.examples import EXAMPLES, FIRST
from kinetoscope.cli.progress import Reporter
from kinetoscope.files import finished_units
from kinetoscope.records import read_unit


def verbs() -> list[str]:
    """Every verb, those of groups by two words."""
    top: Any = typer.main.get_command(app)
    found = []
    for name, command in top.commands.items():
        found += [f"{name} {inner}" for inner in getattr(command, "commands", {})] or [name]
    return found


def parsed(line: str) -> Any:
    """The context of the verb that a line asks for; raises where it does not parse."""
    command: Any = typer.main.get_command(app)
    context, words = None, shlex.split(line)
    while True:
        context = command.make_context(words[0], words[1:], parent=context)
        if not hasattr(command, "commands"):
            return context
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        words = [name, *rest]


@pytest.mark.parametrize("verb", verbs())
def test_the_help_of_every_verb_ends_with_one_example_that_parses(run, verb: str) -> None:
    assert verb in EXAMPLES, "give the new verb an example in cli/examples.py"
    status, out, err = run(*verb.split(), "--help")
    assert (status, err) == (0, "")
    (line,) = (line.strip() for line in out.splitlines() if line.startswith("    kinetoscope "))
    assert out.rstrip().endswith(line)
    assert line == EXAMPLES[verb]
    assert parsed(line).command.name == verb.split()[-1]


def test_no_example_is_of_a_verb_that_is_gone() -> None:
    assert set(EXAMPLES) == set(verbs())


def test_alone_the_command_shows_five_things_worth_trying_in_order(run) -> None:
    status, out, err = run()
    assert (status, err) == (0, "")
    shown = [line.strip() for line in out.splitlines() if line.startswith("  kinetoscope ")]
    assert [line.partition("  #")[0].strip() for line in shown] == [line for line, _ in FIRST]
    assert len(shown) == 5
    for line, _ in FIRST:
        parsed(line)


def test_options_come_from_a_file_and_the_command_line_goes_before(run, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'weights = "random"\nquiet = true\nseed = 3\nmodel = "motion13"\n'
        "[visualize]\nunits = [5, 1]\nmotion-scale = 4.5\n[evaluate.planted]\nquick = true\n"
        '[train]\nset = ["a=1"]\n'
    )
    words = ("visualize", "--config", file, "--seed", 8, "--out", tmp_path / "o")
    assert run("visualize", "motion13", "conv1", *words[1:]).status == 0
    assert [folder.name for folder in finished_units(tmp_path / "o")] == ["1", "5"]
    record = read_unit(tmp_path / "o" / "conv1" / "5")
    assert (record["seed"], record["weights"]) == (8, "random")
    assert record["render"]["motion_scale_px_per_frame"] == 4.5
    file.write_text('set = ["a=1", "b=2"]\nout = "o"\n')
    assert parsed(f"kinetoscope train x.toml --config {file}").params["change"] == ["a=1", "b=2"]
    file.write_text("[atlas]\nlayers = ['conv1', 'conv2']\n")
    assert parsed(f"kinetoscope atlas motion13 --out o --config {file}").params["layers"] == "conv1,conv2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("unit = '0'", "sets 'unit', which visualize does not take; closest: units"),
        ("[visualize]\nstep = 3", "closest: steps"),
        ("steps = 0", "Invalid value for '--steps'"),
        ("preset = 'best'", "'best' is not one of"),
        ("seed = = 3", "cannot be read (Invalid value"),
        (None, "cannot be read (No such file"),
    ],
)
def test_a_file_of_options_that_is_wrong_is_told(run, tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "run.toml"
    if text is not None:
        file.write_text(text)
    words = ("visualize", "motion13", "conv1", "--units", "0", "--out", tmp_path / "o", "--config", file)
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert told in err.splitlines()[-1]
    assert not (tmp_path / "o").exists()


def test_the_demo_can_be_of_one_class(run, tmp_path: Path) -> None:
    status, out, _ = run("demo", "--quick", "--quiet", "--out", tmp_path)
    assert status == 0
    (folder,) = finished_units(tmp_path)
    assert read_unit(folder)["unit_name"] == "up-left"
    assert read_unit(folder)["settings"]["seeds"] == 1
    assert "up-left" in out


def test_progress_says_what_is_done_now(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("kinetoscope.cli.progress._SECONDS_BETWEEN_LINES", 0.0)
    with Reporter(["a", "b", "c"]) as reporter:
        reporter.step(1, 3, 9, "searching")
        reporter.step(1, 3, 9)
        reporter.overall(0.5, [0, 2])
        reporter.overall(0.5)
    assert capsys.readouterr().err.splitlines() == [
        "b (2 of 3): searching, step 3 of 9",
        "b (2 of 3): step 3 of 9",
        "0 of 3 finished, 17% of the work; now a, c",
        "0 of 3 finished, 17% of the work",
    ]


def test_shells_can_complete(run, monkeypatch) -> None:
    monkeypatch.setenv("_KINETOSCOPE_COMPLETE", "complete_bash")
    for typed, place, wanted in (
        ("kinetoscope vis", 1, "visualize"),
        ("kinetoscope demo --qu", 2, "--quick"),
    ):
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(place))
        assert wanted in run().out.split()
