"""Tests that others run on what they add to comboi; they need pytest, which comboi itself does not bring."""

import pytest

pytest.register_assert_rewrite("comboi_core.testing.source_contract")
