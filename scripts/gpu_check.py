#!/usr/bin/env python3
"""One short check for a machine with a GPU: builds the GPU twins, tests them against the CPU's code,
and measures them into build/bench/cuda.json. At most five minutes; libtorch is not needed.

    gpu_check.py [--require]

Exit status: 0 when everything held; 1 when something did not. Where there is no nvcc or no GPU
nothing is checked: it says so and ends with 0, or with 1 under --require.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import repository

BUILD = repository.ROOT / "build" / "gpu"
SECONDS = 300


def what_is_missing():
    """Why nothing can be checked here, or None."""
    nvcc = shutil.which("nvcc") or (Path("/usr/local/cuda/bin/nvcc").exists() and "there")
    if not nvcc:
        return "no nvcc (the CUDA toolkit) was found"
    if not Path("/dev/nvidiactl").exists():
        return "no NVIDIA GPU: /dev/nvidiactl is not there"
    smi = shutil.which("nvidia-smi")
    if smi and subprocess.run([smi, "-L"], capture_output=True).returncode != 0:
        return "the NVIDIA driver does not answer (nvidia-smi -L fails)"
    return None


def judge_tests(output, status):
    """A problem in what the tests printed, or None: on a GPU none of the twins may be skipped."""
    passed = len(re.findall(r"^\[       OK \] CudaTwins\.", output, re.M))
    # One test is about machines without a GPU.
    skipped = len(re.findall(r"^\[  SKIPPED \] CudaTwins\.\w+ \(", output, re.M))
    if status != 0:
        return f"tests of the twins failed (exit status {status})"
    if passed == 0:
        return "no test of the twins ran"
    if skipped > 1:
        return f"{skipped} tests of the twins were skipped: libcudart finds no GPU"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--require", action="store_true", help="no GPU is a failure")
    arguments = parser.parse_args()
    missing = what_is_missing()
    if missing:
        print(f"gpu-check: nothing was checked: {missing}")
        return 1 if arguments.require else 0
    subprocess.run(["cmake", "--preset", "release", "-B", str(BUILD), "-DESPER_WITH_TORCH=OFF",
                    "--log-level=WARNING"], cwd=repository.ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    repository.ninja(BUILD, "execution_tests", "bench_cuda")
    tests = subprocess.run([str(BUILD / "bin" / "execution_tests"), "--gtest_filter=CudaTwins.*"],
                           stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    print(tests.stdout, end="", flush=True)
    problem = judge_tests(tests.stdout, tests.returncode)
    if problem:
        print(f"gpu-check: {problem}")
        return 1
    output = repository.BENCH / "cuda.json"
    bench = subprocess.run([str(BUILD / "bin" / "bench_cuda"), "--json", str(output)],
                           timeout=SECONDS)
    if bench.returncode != 0:
        print(f"gpu-check: bench_cuda exited with {bench.returncode}")
        return 1
    print(f"gpu-check: the twins agree with the CPU; figures in {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
