"""Tests of the code, the walls and the wrong models; no part of the wheel."""
