"""Command line of the benchmarks: see ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from benchmarks._harness import NAMED, NAMES, Settings, load, surroundings, table

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    p = parser()
    options = p.parse_args()
    unknown = set(options.names) - {*NAMES, *NAMED, "all"}
    if unknown:
        p.error(f"unknown benchmark {', '.join(sorted(unknown))}: choose from {', '.join(NAMES + NAMED)}, all")
    if not options.names:
        for name in NAMES + NAMED:
            print(f"{name:14} {summary(name)}")
        return
    names = NAMES if "all" in options.names else options.names
    settings = Settings(options.data, options.threads, options.repeats, options.beside)
    data = load(settings.data)
    if not data.real:
        print("No real data (--data, SKGEOM_DATA): synthetic data of the same shape.\n")
    text = [f"{surroundings(settings)}\n* data: {data.name} {data.x.shape[0]:,} x {data.x.shape[1]}"]
    print(text[0])
    for name in names:
        text.append(f"\n## {name}\n\n{summary(name)}\n")
        print(text[-1])
        for line in table(name, settings):
            text.append(line)
            print(line, flush=True)
    if options.out:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / options.out).write_text("# Benchmarks\n\n" + "\n".join(text) + "\n", encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks", description="skgeom beside its peers.")
    p.add_argument("names", nargs="*", metavar="NAME", help="a benchmark, or all; none lists them")
    p.add_argument("--data", default=os.environ.get("SKGEOM_DATA"), help="folder of rt_polarity_minilm.npz")
    p.add_argument("--threads", type=int, default=1, help="threads of every library")
    p.add_argument("--repeats", type=int, default=9, help="samples of each side")
    p.add_argument("--beside", type=int, default=0, help="busy processes beside")
    p.add_argument("--out", help="write the tables to this file, by default inside benchmarks/results")
    return p


def summary(name: str) -> str:
    """Return the first line of the docstring of a benchmark."""
    return (importlib.import_module(f"benchmarks.{name}").__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    main()
