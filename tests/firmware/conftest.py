# SPDX-License-Identifier: Apache-2.0
"""The kernels, compiled for this computer in both of their forms."""

import pytest
from kernel_host import KernelHost


@pytest.fixture(scope="session", params=["plain", "dsp"])
def kernels(request: pytest.FixtureRequest) -> KernelHost:
    return KernelHost(dsp=request.param == "dsp")
