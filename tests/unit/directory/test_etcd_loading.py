import subprocess
import sys

LOADED = "import sys, {}; print(*sorted(name for name in sys.modules if name in ('grpc', 'google.protobuf')))"


def loaded_with(modules: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", LOADED.format(modules)], check=True, capture_output=True, text=True
    ).stdout.split()


def test_who_does_not_use_etcd_does_not_load_grpc() -> None:
    assert loaded_with("telegraph.manager.app, telegraph.cli.main, telegraph.node.app, telegraph.testing.plugin") == []
    assert loaded_with("telegraph.directory.etcd.directory") == ["google.protobuf", "grpc"]
