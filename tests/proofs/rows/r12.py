"""R12: a large CSV under a memory cap; every row accounted for, nothing left in the temporary folder.

`R12_MB` (default 500) is the size and `R12_CAP_MB` (default 700) the cap on what the reading child keeps for itself and
on what the run's own process uses; torture runs 10240 under 2048.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from torture import ROOT, Trial

PROOF_TRIALS = 1

CONTRACT = """
source: till
maps_to: order
files: ["*.csv"]
format: csv
times: {timezone: company, formats: [iso]}
fields:
  order_key: {column: order}
  customer_key: {column: customer}
  email: {column: email}
  ordered_at: {column: at}
  currency: {value: EUR}
  gross_amount: {column: amount}
  quantity: {column: quantity, min: 1}
  region: {column: town}
known: [note]
"""

RUN = """
import json, sys, threading, time
from pathlib import Path
from ingestion import children
from ingestion.load import ingest
from kizuna.control.store import open_store
from kizuna.settings import load_settings

peak = [0]

def watch():
    while True:
        peak[0] = max([peak[0], *(children.own_memory(pid) for pid in list(children._all))])
        time.sleep(0.02)

threading.Thread(target=watch, daemon=True).start()
settings = load_settings(Path(sys.argv[1]))
began = time.monotonic()
(file,) = ingest(settings, open_store(settings)).files
# What getrusage tells begins with the memory of the process that started this one.
used = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({
    "status": file.status, "code": file.code, "reason": file.reason, "rows": file.rows_in, "accepted": file.accepted,
    "quarantined": file.quarantined, "duplicates": file.duplicates, "child": peak[0] >> 20,
    "run": int(used.split()[1]) >> 10, "seconds": round(time.monotonic() - began, 1),
}))
"""


def run_trial(seed: int, folder: Path) -> Trial:
    """One file, loaded by a real run."""
    size, cap = int(os.environ.get("R12_MB", "500")), int(os.environ.get("R12_CAP_MB", "700"))
    home = folder / "home"
    (home / "contracts").mkdir(parents=True)
    (home / "landing" / "till").mkdir(parents=True)
    (home / "kizuna.yaml").write_text(f"name: Till\ntimezone: Asia/Tokyo\nlimits: {{memory_mb: {cap}}}\n")
    (home / "contracts" / "till.yml").write_text(CONTRACT)
    rows, bad, repeated = write_orders(home / "landing" / "till" / "orders.csv", size, seed)
    temporary = folder / "tmp"
    temporary.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("KIZUNA_")}
    env |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "KIZUNA_PSEUDONYM_KEY": "k" * 64}
    done = subprocess.run([sys.executable, "-c", RUN, str(home)], env=env, capture_output=True, text=True)
    if done.returncode:
        return Trial(1, (done.stderr[-2000:],))
    said = json.loads(done.stdout)
    expected = {
        "status": "accepted", "code": None, "rows": rows, "accepted": rows - bad - repeated, "quarantined": bad,
        "duplicates": repeated,
    }  # fmt: skip
    wrong = [
        f"{name} is {said[name]}, not {value} ({said['reason']})"
        for name, value in expected.items()
        if said[name] != value
    ]
    wrong += [f"the {who} used {said[who]} MB of {cap}" for who in ("child", "run") if said[who] > cap]
    wrong += [f"left in the temporary folder: {path.name}" for path in temporary.rglob("*")]
    figures = (
        f"{size} MB, {rows:,} rows in {said['seconds']} s, child {said['child']} MB, run {said['run']} MB of {cap}"
    )
    return Trial(1, tuple(wrong), figures)


def write_orders(path: Path, megabytes: int, seed: int) -> tuple[int, int, int]:
    """Write orders of about that size; (rows, of them ragged or of a wrong type, of them repeated)."""
    dice = random.Random(seed)
    written = rows = bad = repeated = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write("order,customer,email,at,amount,quantity,town,note\n")
        while written < megabytes << 20:
            lines = []
            for number in range(rows, rows + 10_000):
                customer, note = dice.randrange(1_000_000), ("", '"left,\nat ""door"""', "配送は午前")[number % 3]
                moment = f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
                lines.append(
                    f"O{number:09d},C{customer:07d},user{customer}@example.com,{moment} {number % 24:02d}:30:00,"
                    f"{customer % 9000}.{number % 100:02d},{number % 9 + 1},Town {customer % 97},{note}\n"
                )
            rows += 10_000
            lines[10] = lines[10].replace(",", ",,", 1)
            lines[20] = lines[20].replace("2026-", "2026-99-", 1)
            lines[30] = lines[40]
            bad, repeated = bad + 2, repeated + 1
            text = "".join(lines)
            stream.write(text)
            written += len(text.encode())
    return rows, bad, repeated
