# SPDX-License-Identifier: Apache-2.0
"""Trained weights move: from a device to a file, to another device, to Keras and to C."""
