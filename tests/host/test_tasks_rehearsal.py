# SPDX-License-Identifier: Apache-2.0
import numpy as np

from secondpass.tasks.rehearsal import rehearse

STREAM = np.arange(20, dtype=np.uint8).reshape(10, 2)
STORED = np.array([[100, 101], [200, 201]], dtype=np.uint8)


def test_a_stored_sample_follows_every_sample():
    mixed = rehearse(STREAM, STORED, seed=3)
    assert np.array_equal(mixed[::2], STREAM)
    assert {tuple(row) for row in mixed[1::2]} == {(100, 101), (200, 201)}
    assert not np.array_equal(mixed, rehearse(STREAM, STORED, seed=4))


def test_labels_follow_their_samples():
    samples = rehearse(STREAM, STORED, seed=3)
    labels = rehearse(np.arange(10), np.array([10, 20]), seed=3)
    assert labels[::2].tolist() == list(range(10))
    assert (labels[1::2] * 10).tolist() == samples[1::2, 0].tolist()


def test_nothing_stored_leaves_the_stream_alone():
    assert rehearse(STREAM, STORED[:0], seed=3) is STREAM
