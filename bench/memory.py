"""Memory of every service of the running fleet, in MB (resident, with children)."""

import json
import subprocess
import sys


def run() -> dict[str, object]:
    """Ask ``gustbed status``; empty when no fleet runs."""
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_cli", "status", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(done.stdout)
    services = {row["name"]: row["memory_mb"] for row in status["services"]}
    known = [value for value in services.values() if value is not None]
    return {"runtime": status["runtime"], "memory_mb": services, "total_mb": round(sum(known), 1)}


def main() -> int:
    """Print JSON with ``--json``, else a table."""
    figures = run()
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
        return 0
    memory = figures["memory_mb"]
    assert isinstance(memory, dict)
    for name, value in memory.items():
        print(f"{name:12s} {'–' if value is None else f'{value:8.1f} MB'}")
    print(f"{'total':12s} {figures['total_mb']:8.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
