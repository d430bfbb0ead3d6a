"""Writes directory/etcd/rpc_pb2.py and its types from rpc.proto; with ``--check`` only says whether they are in step.

The compiler is grpcio-tools'. Its version, and so the protobuf that the code needs at least, stands in the code that it
makes: another one than the lock's would make other code.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from generated import write_or_check

SOURCE = Path(__file__).parent.parent / "src"
ROOM = Path("telegraph/directory/etcd")
HEADER = "# Made from rpc.proto by scripts/generate_etcd_stubs.py (`make docs`); do not edit.\n"


def stubs() -> dict[Path, str]:
    """The two files as the compiler makes them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCE}"),
                *(f"--python_out={folder}", f"--pyi_out={folder}", str(SOURCE / ROOM / "rpc.proto")),
            ],
            check=True,
        )
        made = Path(folder) / ROOM
        return {SOURCE / ROOM / name: HEADER + (made / name).read_text() for name in ("rpc_pb2.py", "rpc_pb2.pyi")}


if __name__ == "__main__":
    sys.exit(write_or_check(stubs(), "directory/etcd/rpc.proto"))
