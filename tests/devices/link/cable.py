"""Two pseudo-terminals as a cable that can be unplugged."""

import os
import select
import threading
import tty


class Cable:
    """Two pseudo-terminals joined byte for byte by a thread; `unplug` takes the host's end away."""

    def __init__(self, tmp_path):
        self.link_path = tmp_path / "port"
        self.board_master, self.board_slave = self._pair()
        self.host_master = self.host_slave = -1
        self.board_port = os.ttyname(self.board_slave)
        self._stop, self._stopped = os.pipe(), False
        self._lock = threading.Lock()
        self.plug()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _pair():
        master, slave = os.openpty()
        tty.setraw(master)
        tty.setraw(slave)
        return master, slave

    def plug(self):
        with self._lock:
            self.host_master, self.host_slave = self._pair()
            self.link_path.unlink(missing_ok=True)
            self.link_path.symlink_to(os.ttyname(self.host_slave))
        self._kick()

    def unplug(self):
        with self._lock:
            self.link_path.unlink()
            os.close(self.host_slave)
            os.close(self.host_master)
            self.host_master = -1

    def _kick(self):
        os.write(self._stop[1], b"k")

    def _run(self):
        while not self._stopped:
            with self._lock:
                ends = [self.board_master, *([self.host_master] if self.host_master >= 0 else [])]
            ready, _, _ = select.select([*ends, self._stop[0]], [], [], 0.05)
            if self._stop[0] in ready:
                os.read(self._stop[0], 100)
            with self._lock:
                if self.host_master in ready and self.host_master >= 0:
                    os.write(self.board_master, os.read(self.host_master, 4096))
                if self.board_master in ready:
                    data = os.read(self.board_master, 4096)
                    if self.host_master >= 0:
                        os.write(self.host_master, data)

    def close(self):
        self._stopped = True
        self._kick()
        self._thread.join()
        for fd in (self.board_master, self.board_slave, *self._stop):
            os.close(fd)
        if self.host_master >= 0:
            os.close(self.host_master)
            os.close(self.host_slave)
