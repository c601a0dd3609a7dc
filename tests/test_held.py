"""What a supervisor holds from its start on: the ports, too, of one that has only just ended."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from threading import Timer

from collector.clock import SystemClock
from collector.data_folder import hold
from collector.processes.held import take
from collector.settings import read_settings


def test_a_port_that_is_let_go_of_a_moment_later_is_waited_for(tmp_path: Path) -> None:
    before = socket.create_server(("127.0.0.1", 0))
    public = f"127.0.0.1:{before.getsockname()[1]}"
    settings = read_settings({"data": tmp_path / "data", "public": public, "analyst": "127.0.0.1:0"}, {})
    folder = hold(settings.data)
    letting_go = Timer(0.3, before.close)
    letting_go.start()
    held = take(settings, folder, SystemClock())
    try:
        assert held.addresses()[0] == public
    finally:
        letting_go.join()
        held.public.close()
        held.analyst.close()
        for fd in (held.memory.fd, held.settings_fd, held.alive_read_fd, held.alive_write_fd):
            os.close(fd)
        folder.release()
