"""Two hundred turbines before ten viewers, on a real broker: the page hears them all."""

import json
import subprocess
import sys

from tests.support.paths import ROOT


def test_a_large_site_before_ten_viewers_is_heard_and_measured() -> None:
    """With a full collection after every script run it heard one block in a thousand."""
    command = [sys.executable, str(ROOT / "bench" / "dashboard.py"), "--json"]
    done = subprocess.run(
        [*command, "--sites", "200x10", "--seconds", "4"],
        capture_output=True,
        timeout=120,
        check=True,
    )

    (row,) = json.loads(done.stdout)
    assert (row["turbines"], row["viewers"], row["blocks_per_s_sent"]) == (200, 10, 400)
    # Far from what failed, and far from what a busy machine may do to it.
    assert row["blocks_per_s"] > row["blocks_per_s_sent"] / 2
    assert row["updates_per_viewer_per_s"] > 0
    assert row["cores"] > 0
    assert row["behind_s"] is not None
