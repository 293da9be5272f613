#!/usr/bin/env python3
"""Makes tests/base/data: files as numpy, scipy and safetensors write them, for glint to read (run at development time only;
needs numpy, scipy, safetensors). All arrays hold values that test_npy.c, test_npz.c and test_safetensors.c compute again."""
import os
import zipfile
import numpy as np
import scipy.sparse
from safetensors.numpy import save_file

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
os.makedirs(here, exist_ok=True)


def path(name):
    return os.path.join(here, name)


grid = np.arange(24).reshape(2, 3, 4)  # [i, j, k] = 12 i + 4 j + k
for kind in ["b1", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", ">i2", ">u4", ">i8", ">f2", ">f4", ">f8"]:
    name = kind.replace("<", "little_").replace(">", "big_")
    np.save(path(f"{name}.npy"), grid.astype(kind))
np.save(path("fortran.npy"), np.asfortranarray(grid.astype("<f8")))
np.save(path("fortran_big.npy"), np.asfortranarray(grid.astype(">f4")))
with open(path("version2.npy"), "wb") as f:
    np.lib.format.write_array(f, grid.astype("<f8"), version=(2, 0))
with open(path("version3.npy"), "wb") as f:
    np.lib.format.write_array(f, grid.astype("<f8"), version=(3, 0))
np.save(path("scalar.npy"), np.float64(2.5))
np.save(path("empty.npy"), np.zeros((0, 3)))
np.save(path("halves.npy"), np.array([0.0, -0.0, 2.0**-24, 1023 * 2.0**-24, 2.0**-14, 65504, np.inf, -np.inf, np.nan], dtype="f2"))
np.save(path("huge.npy"), np.array([2**63, 2**64 - 1], dtype="u8"))
np.save(path("object.npy"), np.array([None, {}], dtype=object), allow_pickle=True)
np.save(path("complex.npy"), np.array([1j]))
np.save(path("structured.npy"), np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.save(path("strings.npy"), np.array(["a", "bc"]))
np.save(path("five_dims.npy"), np.zeros((1, 1, 1, 1, 1)))

dense = np.array([[0, 1.5, 0], [0, 0, 0], [-2.0, 0, 0.25], [0, 0, 3]])
scipy.sparse.save_npz(path("csr.npz"), scipy.sparse.csr_matrix(dense))
scipy.sparse.save_npz(path("csr_stored.npz"), scipy.sparse.csr_matrix(dense), compressed=False)
scipy.sparse.save_npz(path("csc.npz"), scipy.sparse.csc_matrix(dense))
np.savez(path("plain.npz"), grid=grid.astype("<f8"), name=np.array("x"))
with zipfile.ZipFile(path("lie.npz"), "w") as z:  # a header that promises far more than the member holds, with a right CRC
    z.writestr(zipfile.ZipInfo("a.npy"), open(path("little_f8.npy"), "rb").read().replace(b"(2, 3, 4), }      ", b"(2, 3, 4000000), }"))

save_file(
    {"grid": grid.astype("<f4"), "half": np.array([1, -2, 0.5], dtype="f2"), "none": np.zeros((0, 2), dtype="<i8"), "one": np.array(7, dtype="<i8")},
    path("reference.safetensors"),
    metadata={"format": "pt", "made_by": "safetensors"},
)
