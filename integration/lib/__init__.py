# SPDX-License-Identifier: BSD-2-Clause
"""What the suite's runner is made of; the scenarios' own helpers lie beside the scenarios (`rig.*`)."""
