"""An atlas beside `visualize`, by every engine, and killed at random.

    python benchmarks/atlas.py rate conv2 conv3b --units 16       # units an hour, of both
    python benchmarks/atlas.py engines                            # local, Ray with a worker killed, submitit
    python benchmarks/atlas.py kills --times 20                   # SIGKILL at random moments

Everything runs as a person would run it, by the command line; the bundled network, in a folder that goes
afterwards. Nothing else should run on the machine meanwhile.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

QUICK = ("--steps", "2", "--seeds", "1", "--size", "8x16x16", "--keep", "arrays", "--quiet")
"""Settings with which a unit takes half a second."""


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "kinetoscope", *map(str, words)]


def seconds(*words: object) -> float:
    """What a command takes, wall clock."""
    began = time.perf_counter()
    subprocess.run(command(*words), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def digests(out: Path, name: str = "arrays.safetensors") -> dict[str, str]:
    """SHA-256 of a file of each unit."""
    return {
        path.parent.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob(name))
    }


def held(out: Path) -> tuple[int, float, float]:
    """How many units an atlas has, and megabytes of the mean and of the largest one."""
    sizes = [
        sum(file.stat().st_size for file in record.parent.iterdir()) / 1e6
        for record in out.glob("*/*/unit.json")
    ]
    return len(sizes), sum(sizes) / len(sizes), max(sizes)


def rate(folder: Path, asked: argparse.Namespace) -> None:
    """Units an hour of `visualize` and of `atlas`, layer by layer, starting up included."""
    print("| layer | units | visualize, an hour | atlas, an hour | ratio | MB a unit | at most |")
    print("|---|---|---|---|---|---|---|")
    for layer in asked.layers:
        units = f"0-{asked.units - 1}"
        found = {"visualize": [], "atlas": []}
        for turn in range(asked.turns):
            for verb in found:
                words = [layer, "--units"] if verb == "visualize" else ["--layers", layer, "--units"]
                out = folder / f"{verb}-{layer}-{turn}"
                found[verb].append(seconds(verb, "motion13", *words, units, "--quiet", "--out", out))
        count, mean, most = held(folder / f"atlas-{layer}-0")
        one, other = (3600 * count / min(each) for each in found.values())
        print(
            f"| {layer} | {count} | {one:.0f} | {other:.0f} | {other / one:.2f} | {mean:.2f} | {most:.2f} |"
        )
        sys.stdout.flush()


def ray_workers(driver: int) -> list[int]:
    """Processes of Ray's actors, by id, that a process started, through whatever others."""
    parents, titles = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            number = int(entry.name)
            parents[number] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            titles[number] = (entry / "cmdline").read_bytes().decode(errors="replace")

    def ours(number: int) -> bool:
        return number == driver or (number in parents and ours(parents[number]))

    return [number for number, title in titles.items() if title.startswith("ray::Worker") and ours(number)]


def engines(folder: Path, asked: argparse.Namespace) -> None:
    """All units of the bundled network by each engine; of Ray's two workers one is killed."""
    extra = {
        "local": (),
        "ray": ("--engine", "ray", "--workers", "2"),
        "slurm": ("--engine", "slurm", "--address", "local"),
    }
    expected: dict[str, str] = {}
    for name, words in extra.items():
        out, began = folder / name, time.perf_counter()
        process = subprocess.Popen(
            command("atlas", "motion13", "--layers", asked.layers, "--out", out, *QUICK, *words)
        )
        if name == "ray":
            while len(digests(out)) < len(expected) // 3 and process.poll() is None:
                time.sleep(0.2)
            victims = ray_workers(process.pid)
            os.kill(victims[0], signal.SIGKILL)
            print(f"killed one of {len(victims)} workers at {len(digests(out))} units")
        process.wait()
        found = digests(out)
        expected = expected or found
        same = sum(found.get(unit) == digest for unit, digest in expected.items())
        took = time.perf_counter() - began
        print(
            f"{name}: status {process.returncode}, {len(found)} units in {took:.0f} s, {same} as by `local`"
        )
        sys.stdout.flush()


def kills(folder: Path, asked: argparse.Namespace) -> None:
    """A run to its end beside runs that are killed at moments drawn at random, and begun again until done."""
    draw, words = random.Random(asked.seed), ("--layers", asked.layers, *QUICK)
    took = seconds("atlas", "motion13", "--out", folder / "whole", *words)
    expected = digests(folder / "whole")
    killed, runs, repeated, wrong, left = 0, 0, 0, 0, 0
    while killed < asked.times:
        out, written, runs = folder / f"torn-{runs}", dict[str, int](), runs + 1
        while True:
            process = subprocess.Popen(
                command("atlas", "motion13", "--out", out, *words), stdout=subprocess.DEVNULL
            )
            try:
                process.wait(None if killed >= asked.times else draw.uniform(0.1, 0.9) * took)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            process.wait()
            now = {
                path.parent.relative_to(out).as_posix(): path.stat().st_mtime_ns
                for path in out.rglob("unit.json")
            }
            repeated += sum(now.get(unit) != moment for unit, moment in written.items())
            written = now
            print(f"status {process.returncode}, kill {killed}: {len(now)} units finished", flush=True)
            if process.returncode == 0:
                break
        found = digests(out)
        wrong += sum(found.get(unit) != digest for unit, digest in expected.items())
        wrong += len(found.keys() - expected.keys())
        left += len(list(out.rglob(".*")))
    print(
        f"{killed} kills in {runs} atlases of {len(expected)} units: {wrong} units missing or other than "
        f"without a kill, {repeated} written twice, {left} files left half written"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    part = verbs.add_parser("rate")
    part.add_argument("layers", nargs="+")
    part.add_argument("--units", type=int, default=16, help="of each layer, from 0; eight are one batch")
    part.add_argument("--turns", type=int, default=1, help="the fastest counts")
    part = verbs.add_parser("engines")
    part.add_argument("--layers", default="all")
    part = verbs.add_parser("kills")
    part.add_argument("--layers", default="conv1,fc")
    part.add_argument("--times", type=int, default=20)
    part.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="atlas-"))
    try:
        {"rate": rate, "engines": engines, "kills": kills}[asked.verb](folder, asked)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
