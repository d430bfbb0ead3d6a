"""Organisations and directories for the tests of a group."""

from datetime import UTC, datetime

import pytest

from telegraph.directory.memory import MemoryDirectory
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.cluster.organisation import Organisation

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def organisation() -> Organisation:
    return Organisation.create(CertificateAuthority.create("Testing", NOW), NOW)


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()
