"""A file of tests that is named after a framework is run where that one is asked for."""

import pytest

from conformance.ports import implementations as frameworks

#: TensorFlow's modules stand with Keras' networks.
STAND_WITH = {"tensorflow": "keras"}


@pytest.fixture(autouse=True)
def _asked_for(request, pytestconfig):
    name = request.path.stem.split("_")[1]
    room = STAND_WITH.get(name, name)
    asked = [frameworks.find(each) for each in pytestconfig.getoption("framework") or ()]
    if asked and room in frameworks.frameworks() and room not in asked:
        pytest.skip("not the framework that was asked for")
