from pathlib import Path

import pytest

# so that what a contract asserts is explained as well as what a test asserts
pytest.register_assert_rewrite(*(f"{__name__}.{path.stem}" for path in Path(__file__).parent.glob("[!_]*.py")))
