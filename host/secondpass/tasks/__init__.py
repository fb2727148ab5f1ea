# SPDX-License-Identifier: Apache-2.0
"""Tasks that need learning on the device: what is learned, from what, and what counts as success.

`anomaly`: a detector meets another place. `personalise`: a classifier meets another person.
`rehearsal` keeps either from forgetting.
"""
