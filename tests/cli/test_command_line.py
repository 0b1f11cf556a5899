"""What all commands have in common: shared options, help, errors, completion; `fmnist doctor`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from process import RunFmnist, environment
from synthetic import write_files
from tinymodel import add_guard, write_exported
from typer.main import get_command
from typer.testing import CliRunner

from fmnist_cli import __version__
from fmnist_cli.cli import COMMANDS, build_app, output

SUBCOMMANDS = ("download", "info", "images", "audit", "describe")
ALL = [(name,) for name in COMMANDS if name != "data"] + [("data", name) for name in SUBCOMMANDS]


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_command_has_the_shared_options_and_examples(name: tuple[str, ...]) -> None:
    done = CliRunner().invoke(build_app(name[0]), [*name, "-h"], prog_name="fmnist")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith(f"Usage: fmnist {' '.join(name)} ")
    assert "All commands:" in lines
    for option in ("-q, --quiet", "-v, --verbose", "-h, --help"):
        assert [line for line in lines if line.startswith(f"  {option} ")]
    assert "FMNIST_DEBUG" in done.output
    examples = lines[lines.index("Examples:") + 1 :]
    assert 1 <= len(examples) <= 3
    assert all(f"fmnist {' '.join(name)}" in line for line in examples)
    assert max(map(len, lines)) <= 100


def test_an_option_name_means_one_thing_over_all_commands() -> None:
    kinds: dict[str, set[object]] = {}
    root = get_command(build_app())
    commands = dict(root.commands)  # type: ignore[attr-defined]
    commands |= commands.pop("data").commands
    for command in commands.values():
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                kind = "flag" if parameter.is_flag else parameter.metavar
                for option in parameter.opts:
                    kinds.setdefault(option, set()).add(kind)
    assert kinds["--json"] == {"flag"}
    assert kinds.pop("--output") == kinds.pop("-o") == {"FILE", "DIR"}
    assert not {option: kind for option, kind in kinds.items() if len(kind) > 1}
    assert "--gallery" not in kinds


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(run_fmnist: RunFmnist, option: str) -> None:
    assert run_fmnist(option).stdout == f"fmnist {__version__}\n"


def test_variables_stand_in_the_help_and_take_effect(
    exported_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = CliRunner().invoke(build_app("classify"), ["classify", "-h"]).output
    assert "FMNIST_MODEL;" in " ".join(page.split())
    assert "FMNIST_MODELS_DIR" in page
    page = CliRunner().invoke(build_app("train"), ["train", "-h"]).output
    assert "FMNIST_DATA_DIR" in page
    assert "FMNIST_RUNS_DIR" in page
    monkeypatch.setenv("FMNIST_MODEL", str(exported_dir / "none.onnx"))
    done = CliRunner().invoke(build_app(), ["classify", str(tmp_path)])
    assert "none.onnx" in str(done.exception)
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "nowhere"))
    done = CliRunner().invoke(build_app(), ["export"])
    assert f"no finished training runs in {tmp_path / 'nowhere'}" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        (("clasify",), "no such command 'clasify'. Did you mean 'classify'?", "fmnist"),
        (("classify", "--modle", "x"), "no such option: --modle", "fmnist classify"),
        (("classify", "x", "--top-k", "0"), "0 is not in the range", "fmnist classify"),
        (("evaluate", "--json", "x.json"), "unexpected extra argument", "fmnist evaluate"),
        (("data", "images"), "missing argument 'DIR'", "fmnist data images"),
        (("classify", "nowhere"), "no file or folder called 'nowhere'", "fmnist classify"),
        (("evaluate", "--unknown"), "go with --data DIR", "fmnist evaluate"),
    ],
)
def test_a_mistake_is_told_in_two_lines(
    run_fmnist: RunFmnist, words: tuple[str, ...], message: str, command: str
) -> None:
    done = run_fmnist(*words)
    assert (done.code, done.stdout) == (2, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert hint == f"hint: try '{command} --help'"


def test_without_a_command_the_help_is_shown(run_fmnist: RunFmnist) -> None:
    for words in ((), ("data",)):
        done = run_fmnist(*words)
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: fmnist")
        assert "Commands:" in done.stderr


def test_control_characters_of_an_input_do_not_reach_the_terminal(run_fmnist: RunFmnist) -> None:
    done = run_fmnist("evaluate", "--data", "a\x1b[31mb")
    assert done.code == 2
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("words", "variable"), [((), ""), (("--verbose",), ""), (("-v",), "1"), ((), "1")]
)
def test_the_traceback_of_an_unexpected_error_is_shown_on_request(
    tmp_path: Path, words: tuple[str, ...], variable: str
) -> None:
    code = (
        "from fmnist_cli import cli\n"
        "import fmnist_cli.manifest as manifest\n"
        "def fail(*_): raise KeyError('a bug')\n"
        "manifest.Manifest.read = fail\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "models", *words],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"FMNIST_DEBUG": variable},
    )
    assert (done.returncode, done.stdout) == (1, "")
    if words or variable:
        assert "Traceback" in done.stderr
        assert "in fail" in done.stderr
    else:
        error, hint = done.stderr.splitlines()
        assert error == "error: this should not happen: KeyError: 'a bug'"
        assert "FMNIST_DEBUG=1" in hint


def test_quiet_and_verbose_stand_before_or_after_the_command(
    run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    data = write_files(tmp_path, 40, 20)
    words = ("data", "images", tmp_path / "png", "--force", "--data-dir", data)
    shown = run_fmnist(*words)
    assert shown.stdout == f"{tmp_path / 'png'}\n"
    assert shown.stderr == "wrote 20 pictures and labels.csv\n"
    for quiet in (("-q", *words), (*words, "--quiet")):
        done = run_fmnist(*quiet)
        assert (done.code, done.stdout, done.stderr) == (0, shown.stdout, "")
    for verbose in (("-v", *words), (*words, "--verbose")):
        done = run_fmnist(*verbose)
        assert done.stdout == shown.stdout
        assert f"fmnist {__version__}: fmnist data images" in done.stderr
        assert f"  data_dir: {data} (commandline)" in done.stderr
    assert not output.Level.quiet


def test_tables_on_a_pipe_are_not_wrapped_or_cut(tmp_path: Path) -> None:
    folder = write_exported(tmp_path / ("long " * 30))
    done = subprocess.run(
        [sys.executable, "-m", "fmnist_cli", "models", "--models-dir", folder],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"COLUMNS": "40"},
        check=True,
    )
    assert [line for line in done.stdout.splitlines() if line.endswith(f"  {folder}".rstrip())]


def completed(tmp_path: Path, shell: str, words: list[str]) -> list[str]:
    """What the shell is told to offer for the last of the words."""
    variables = {
        "_FMNIST_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": " ".join(words),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-m", "fmnist_cli"],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | variables,
        check=True,
    )
    return done.stdout.splitlines()


def test_completion_knows_commands_options_and_models(tmp_path: Path) -> None:
    assert completed(tmp_path, "bash", ["fmnist", "train"]) == ["train", "train-all", "train-guard"]
    assert completed(tmp_path, "bash", ["fmnist", "data", "d"]) == ["download", "describe"]
    assert completed(tmp_path, "bash", ["fmnist", "classify", "--unk"]) == [
        "--unknown",
        "--unknown-at",
    ]
    assert completed(tmp_path, "bash", ["fmnist", "classify", "-m", "res"]) == ["resnet"]
    assert completed(tmp_path, "bash", ["fmnist", "train", "c"]) == ["cnn"]
    zsh = "\n".join(completed(tmp_path, "zsh", ["fmnist", "mod"]))
    assert zsh.startswith("_arguments")
    assert '"models":"List the models that can be used' in zsh
    (line,) = completed(tmp_path, "fish", ["fmnist", "doc"])
    assert line.startswith("doctor\tCheck the installation")
    lines = completed(tmp_path, "fish", ["fmnist", "classify", "--m"])
    assert len(lines) == 7
    assert all(line.startswith("--m") for line in lines)  # help is one line, or fish takes it apart


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_with_the_script_that_is_shown(tmp_path: Path) -> None:
    called = tmp_path / "fmnist"
    called.write_text(f'#!/bin/sh\nexec {sys.executable} -m fmnist_cli "$@"\n', encoding="utf-8")
    called.chmod(0o755)
    script = (
        'eval "$(_FMNIST_COMPLETE=source_bash fmnist)"; COMP_WORDS=(fmnist expl); COMP_CWORD=1;'
        ' _fmnist_completion fmnist; echo "${COMPREPLY[@]}"'
    )
    variables = environment(tmp_path) | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=variables, check=True
    )
    assert done.stdout == "explain\n"


def test_doctor_finds_all_in_order(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    folder = add_guard(write_exported(tmp_path))
    done = run_fmnist("doctor", "--models-dir", folder, "--json")
    assert (done.code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["ok"]
    found: dict[str, str] = {}
    for check in document["checks"]:  # of two models with one name, one's own comes first
        found.setdefault(check["name"], check["found"])
    assert __version__ in found["fmnist"]
    assert "CPUExecutionProvider" in found["providers"]
    assert f"{folder}/cnn.onnx" in found["model cnn"]
    assert "model resnet" in found  # a shipped one
    assert "part guard" in found
    assert "GB free" in found["cache"]
    for name in ("python", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "cores"):
        assert found[name]
    text = run_fmnist("doctor", "--models-dir", folder)
    assert text.code == 0
    assert all(line.startswith(("ok ", "   ")) for line in text.stdout.splitlines())


def test_doctor_names_what_is_broken_and_the_cure(tmp_path: Path) -> None:
    folder = write_exported(tmp_path / "models")
    with (folder / "cnn.onnx").open("ab") as file:
        file.write(b"!")
    done = subprocess.run(
        [sys.executable, "-m", "fmnist_cli", "doctor", "-q", "--models-dir", folder],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"FMNIST_DATA_DIR": str(tmp_path / "none")},
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.partition("  ")[0] for line in lines[::2]] == ["broken", "broken"]
    assert "SHA-256 differs" in lines[0]
    assert "does not exist" in lines[2]
    assert all(line.strip().startswith("hint: ") for line in lines[1::2])


def test_a_table_becomes_paragraphs_where_the_terminal_is_too_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [
        ("", "para-", "images"),
        ("model", "meters", "/s"),
        ("cnn", "32 k", ""),
        ("random-forest", "1.2 M", "33,053"),
    ]
    table = output.aligned(rows, "<>>", heads=2)
    assert table.splitlines()[-1] == "random-forest   1.2 M  33,053"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "29")
    assert output.aligned(rows, "<>>", heads=2) == table
    monkeypatch.setenv("COLUMNS", "28")
    assert output.aligned(rows, "<>>", heads=2) == (
        "cnn: parameters 32 k\nrandom-forest: parameters\n  1.2 M, images /s 33,053"
    )
