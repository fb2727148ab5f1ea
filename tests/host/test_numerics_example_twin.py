# SPDX-License-Identifier: Apache-2.0
"""The host twin gives the weights that docs/numerics-example.md states."""

import pytest
from numerics_example import LABEL, SAMPLE, SETTINGS, example_network, example_rule, listed

from secondpass.device.interface import read_weights
from secondpass.device.twin import HostTwin
from secondpass.integer.reference import ReferenceModel


@pytest.mark.parametrize("heading", SETTINGS, ids=["A", "B", "C"])
def test_example_in_the_host_twin(heading):
    network, rule = example_network(), example_rule(heading)
    reference, twin = ReferenceModel(network, rule), HostTwin(network, rule)
    result, answer = reference.train(SAMPLE, LABEL), twin.train(SAMPLE, LABEL)
    assert answer.predicted == result.predicted
    assert answer.label_probability * 2**15 == result.label_probability
    stated = listed(SETTINGS[heading])
    for layer, tensors in enumerate(read_weights(twin)):
        assert [t.tolist() for t in tensors] == [stated[f"{name}{layer}"][0] for name in "Wb"]
    assert twin.statistics().counters == reference.counters
