"""The array libraries every test can ask for, a stand-in for a GPU, and the optional folder of real data."""

import gc
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

if "PYTEST_XDIST_WORKER" in os.environ:  # a process for each core has one thread; read once, when NumPy is imported
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import array_api_compat
import array_api_strict
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("skgeom", deadline=None, database=None, derandomize=True)
settings.load_profile("skgeom")


class Backend(NamedTuple):
    """An array library and one of its devices."""

    name: str
    xp: Any
    device: Any

    def asarray(self, values: Any, dtype: str | None = None) -> Any:
        """Return a new array of the library, on the device, read-only where the library can say so."""
        host = np.array(values, dtype=dtype)
        array = self.xp.asarray(host, device=self.device)
        if self.name == "numpy-readonly":
            array.setflags(write=False)
        return array


def _numpy() -> tuple[Any, Any]:
    return array_api_compat.array_namespace(np.empty(0)), None


def _torch() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    return array_api_compat.array_namespace(torch.empty(0)), torch.device("cpu")


def _torch_cuda() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("Torch sees no CUDA device")
    return array_api_compat.array_namespace(torch.empty(0)), torch.device("cuda", 0)


def _cupy() -> tuple[Any, Any]:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy sees no CUDA device")
    return array_api_compat.array_namespace(cupy.empty(0)), cupy.cuda.Device(0)


_LIBRARIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "numpy": _numpy,
    "numpy-readonly": _numpy,
    "torch": _torch,
    "strict": lambda: (array_api_strict, array_api_strict.Device("CPU_DEVICE")),
    "strict-device1": lambda: (array_api_strict, array_api_strict.Device("device1")),
    "cupy": _cupy,
    "torch-cuda": _torch_cuda,
}
_ON_GPU = ("cupy", "torch-cuda")


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.gpu] * (name in _ON_GPU)) for name in _LIBRARIES])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every library in turn; NumPy on a device "device1" that refuses to become host data stands in for a GPU."""
    return Backend(request.param, *_LIBRARIES[request.param]())


@pytest.fixture
def fake_accelerator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the library believe in one accelerator, the second device of array-api-strict, and return that device."""
    device = array_api_strict.Device("device1")
    monkeypatch.setattr("skgeom._array.find_accelerator", lambda name: (array_api_strict, device))
    return device


_WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture
def without_torch() -> Callable[..., str]:
    """Return a function that runs code in a process that has no Torch, and returns what it printed."""

    def run(code: str, stdin: bytes = b"") -> str:
        command = [sys.executable, "-c", _WITHOUT_TORCH + code]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout.decode().strip()

    return run


@pytest.fixture
def peak_memory() -> Callable[[Callable[[], Any]], int]:
    """Return a function that calls what it is given and returns the most bytes that the call held at once."""

    def peak(call: Callable[[], Any]) -> int:
        call()  # the modules that a first call imports are not its memory
        gc.collect()
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return peak


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of real embeddings that the environment variable SKGEOM_DATA names, or skip."""
    folder = os.environ.get("SKGEOM_DATA")
    if not folder:
        pytest.skip("the environment variable SKGEOM_DATA does not name a folder of real embeddings")
    return Path(folder)
