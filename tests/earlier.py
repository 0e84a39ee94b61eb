"""Run folders and models of an earlier mlplab in tests/data/earlier: how they are finished and read.

Both the script that made them and the test that finishes them use this. It reads files as they lie on disk, and
nothing of mlplab but its command line and its public functions, so that it need not change with what is inside.

`python -m tests.earlier FILE` writes down what determines the bits here, and what the earlier models predict.
"""

import csv
import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

ROOT = Path(__file__).parents[1]
EARLIER = ROOT / "tests" / "data" / "earlier"
#: The run folders in which something was left to do.
UNFINISHED = ("killed", "search", "table")
#: What a trial's history.csv tells of an epoch, without the seconds, which no other run has again.
MEASURES = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")


def fixed_environment():
    """Return variables with which all x86 processors that have AVX2 compute the same bits.

    BLAS uses its kernels for that generation, in one thread, and NumPy none of its code for AVX-512. Other processors
    are left as they are. A name that NumPy was not built with would raise a warning, so only those it knows are named.
    """
    variables = {**os.environ, **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    for name in ("NPY_ENABLE_CPU_FEATURES", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"):
        variables.pop(name, None)
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    dispatched = [*simd.get("found", []), *simd.get("not found", [])]
    if platform.machine() in ("x86_64", "AMD64"):
        newer = [name for name in dispatched if name.startswith("AVX512") or name == "X86_V4"]
        variables["NPY_DISABLE_CPU_FEATURES"] = " ".join(newer)
        if {"AVX2", "X86_V3"} & {*simd.get("baseline", []), *simd.get("found", [])}:
            variables["OPENBLAS_CORETYPE"] = "Haswell"
    return variables


def python(*arguments):
    """Run Python in the fixed environment and return the finished process."""
    command, environment = [sys.executable, *map(str, arguments)], fixed_environment()
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def mlplab(*arguments):
    """Run a command of mlplab in the fixed environment and return the finished process."""
    return python("-m", "mlplab", *arguments)


def describe():
    """Return what determines the bits in this process."""
    import threadpoolctl

    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "libc": " ".join(platform.libc_ver()),
        "numpy": np.__version__,
        "simd": [*simd.get("baseline", []), *simd.get("found", [])],
        "scipy-openblas32": _version("scipy-openblas32"),
        "kernels": sorted({library.get("architecture", "unknown") for library in libraries}),
        "optuna": _version("optuna"),  # it proposes what a search tries
    }


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def predict(models=EARLIER / "models"):
    """Return what the earlier models predict."""
    from mlplab import load_model

    rows = np.load(models / "rows.npz")
    classifier, regressor = (load_model(models / f"{kind}.safetensors") for kind in MODELS)
    return {
        "labels": classifier.predict(rows["X"]),
        "probabilities": classifier.predict_proba(rows["X"]),
        "values": regressor.predict(rows["X"]),
    }


MODELS = ("classifier", "regressor")


def read_trial(folder):
    """Return what a trial's folder tells: its status, its epochs and a digest of every array of its network."""
    facts = json.loads((folder / "trial.json").read_bytes())
    network = folder / "model.safetensors"
    arrays = load_file(network) if network.is_file() else {}
    history = read_history(folder)
    return {
        "status": facts["status"],
        "epochs": facts["epochs"],
        "history": {name: [float(epoch[name]) for epoch in history] for name in MEASURES},
        "arrays": {
            name: {
                "dtype": str(array.dtype),
                "shape": list(array.shape),
                "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
            }
            for name, array in sorted(arrays.items())
        },
    }


def read_history(folder):
    """Return the rows of a trial's history.csv."""
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_trials(out):
    """Return what all trials of a run folder tell, by their ids."""
    return {path.name: read_trial(path) for path in sorted(out.glob("trials/[!.]*"))}


def read_rows(out):
    """Return the rows of results.csv: experiment, trial, seed and status of each."""
    with (out / "results.csv").open(newline="") as file:
        return [[row[name] for name in ("experiment", "trial", "seed", "status")] for row in csv.DictReader(file)]


def read_files(folder):
    """Return the bytes of every file below a folder, by their paths there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_checkpoints(out):
    """Return the epochs that are in each checkpoint of a run folder, by the file's name."""
    found = {}
    for path in sorted(out.glob("checkpoints/[!.]*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            found[path.stem] = json.loads(file.metadata()["state"])["history_"]["records"]
    return found


def main(file):
    """Write what determines the bits here, and what the earlier models predict."""
    predicted = predict()  # which loads the libraries that are described
    np.savez(file, environment=json.dumps(describe()), **predicted)


if __name__ == "__main__":
    main(sys.argv[1])
