"""Documents tell the truth: what they say a command prints is what it prints."""

from pathlib import Path

import pytest

from tests import transcripts

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
CASES = [
    pytest.param(page, modules, id=f"{page.stem}-{modules.replace(' ', '-')}")
    for page in PAGES
    for modules in transcripts.needs(page.read_text(encoding="utf-8"))
]
NONE = pytest.param(None, "", marks=pytest.mark.skip("the documents are in the repository only"))


@pytest.mark.numbers
@pytest.mark.parametrize(("page", "modules"), CASES or [NONE])
def test_page_shows_what_is_printed(page, modules):
    """Every console that can be run here prints what stands below it, but for measured errors."""
    if reason := transcripts.missing(modules):
        pytest.skip(reason)
    written = page.read_text(encoding="utf-8")
    printed = transcripts.replayed(page, modules)
    assert transcripts.unmeasured(printed) == transcripts.unmeasured(written), (
        f"python -m tests.transcripts docs/{page.name} writes what is printed now"
    )


PAGE = """
```console sys
$ conformance gate it.py:nets --arch nothing
conformance: old words
```

```diff it.py
-net = 1
+nets = 1
```

```console no_such_module
$ rm -r .
```
"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "it.py").write_text("net = 1\n")
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path / "page.md"


@pytest.mark.bare
def test_stale_output_is_seen(page):
    """What is printed takes the place of what was; commands that cannot run here stay."""
    printed = transcripts.replayed(page, "sys")
    assert "conformance: no architecture is called 'nothing'" in printed
    assert "old words" not in printed
    assert "$ rm -r ." in printed
    assert (page.parent / "examples" / "it.py").read_text() == "net = 1\n"


@pytest.mark.bare
def test_change_that_fits_nowhere_is_refused(page):
    """A document that changes what is not there is damaged."""
    page.write_text(PAGE.replace("-net = 1", "-net = 2"))
    with pytest.raises(transcripts.DamagedPage, match="it.py has 0 places for the change"):
        transcripts.replayed(page, "sys")


@pytest.mark.bare
def test_only_our_commands_are_run(page):
    """A document cannot have anything else run."""
    with pytest.raises(transcripts.DamagedPage, match="is none of conformance, pytest"):
        transcripts.replayed(page, "no_such_module")


@pytest.mark.bare
def test_only_measured_numbers_may_differ():
    """Errors and times are taken out, found values are not."""
    line = "agree to 3e-15 in float64 (bound 5e-11)"
    assert transcripts.unmeasured(line) == "agree to … in float64 (bound …)"
    closing = "==== 17 passed in 4.02s ====", "=== 17 passed in 104.02s (0:01:44) ==="
    assert transcripts.unmeasured(closing[0]) == transcripts.unmeasured(closing[1])
    kept = "alpha of lrn is 4e-06, expected 2e-05"
    assert transcripts.unmeasured(kept) == kept
