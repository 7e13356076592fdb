"""What is started together ends together: in order, on a signal, when one dies, and when the parent
is killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from annotator.common.errors import UserError
from annotator.dashboard.processes import listening_socket
from tests.requirements import Need, need

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0

#: A parent that starts three children: one that starts a child of its own in another session, one
#: that ignores SIGTERM, one plain.
PARENT = """
import os, sys
from pathlib import Path
from annotator.dashboard import processes
from annotator.common.errors import UserError

processes.GRACE_SECONDS = 1.0
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
deaf = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('deaf', flush=True); time.sleep(600)",
]
breeding = [
    sys.executable,
    "-c",
    "import subprocess, sys, time;"
    " p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " start_new_session=True); print('child', p.pid, flush=True); time.sleep(600)",
]
dying = [
    sys.executable,
    "-c",
    "import time; time.sleep(1); print('no space left'); raise SystemExit(7)",
]
log_dir = Path(sys.argv[1])
try:
    with processes.stopping_on_signals(), processes.Processes(log_dir) as running:
        for name in sys.argv[2:]:
            print(name, running.start(name, globals()[name], environment=os.environ), flush=True)
        running.watch(1.0)
        print("ready", flush=True)
        running.watch()
except KeyboardInterrupt:
    print("interrupted", flush=True)
except UserError as error:
    print(error, flush=True)
"""


class Parent:
    """The parent above with the pids of what it started."""

    def __init__(self, log_dir: Path, *names: str) -> None:
        command = [sys.executable, "-c", textwrap.dedent(PARENT), str(log_dir), *names]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.log_dir = log_dir
        self.pids: dict[str, int] = {}

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            name, pid = line.split()
            self.pids[name] = int(pid)
        if "breeding" in self.pids:
            self.pids["grandchild"] = int(
                (self.log_dir / "breeding.log").read_text(encoding="utf-8").split()[1]
            )

    def end(self) -> str:
        output, _ = self.process.communicate(timeout=PATIENCE)
        return output

    def still_running(self) -> list[str]:
        return [name for name, pid in self.pids.items() if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_and_its_children(
    tmp_path: Path, signum: signal.Signals
) -> None:
    parent = Parent(tmp_path, "sleep", "deaf", "breeding")
    parent.wait_until_ready()
    assert len(parent.still_running()) == 4
    parent.process.send_signal(signum)
    assert parent.end() == "interrupted\n"
    assert parent.still_running() == []


def test_a_second_ctrl_c_does_not_interrupt_the_end(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "deaf", "breeding")
    parent.wait_until_ready()
    parent.process.send_signal(signal.SIGINT)
    # The end has begun, and waits for the deaf one.
    wait_until(lambda: "breeding" not in parent.still_running())
    parent.process.send_signal(signal.SIGINT)
    assert parent.end() == "interrupted\n"
    assert parent.still_running() == []


def test_a_dying_process_is_named_and_the_others_end(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "sleep", "breeding", "dying")
    parent.wait_until_ready()
    output = parent.end()
    assert "The dying ended unexpectedly (exit code 7)" in output
    assert "no space left" in output
    assert parent.still_running() == []


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    need(
        Need.SETPRIV,
        found=shutil.which("setpriv") is not None,
        otherwise="setpriv is not installed (Debian: apt-get install util-linux).",
    )
    parent = Parent(tmp_path, "sleep")
    parent.wait_until_ready()
    os.kill(parent.process.pid, signal.SIGKILL)
    parent.end()
    wait_until(lambda: parent.still_running() == [])


def test_the_next_port_is_taken_where_one_is_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with listening_socket("127.0.0.1", taken) as mine:
            assert mine.getsockname()[1] != taken


def test_a_url_of_another_machine_is_refused() -> None:
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1"):
        listening_socket("192.0.2.1", 8000)
