# SPDX-License-Identifier: Apache-2.0
"""The kernels, compiled for this computer in each of their forms."""

import pytest
from kernel_host import FORMS, KernelHost


@pytest.fixture(scope="session", params=FORMS)
def kernels(request: pytest.FixtureRequest) -> KernelHost:
    return KernelHost(request.param)
