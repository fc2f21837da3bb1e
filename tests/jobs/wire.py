"""What lies between the service and its database, to be held and cut."""

import contextlib
import socket
import threading

from proving import free_port


class Wire:
    """Passes bytes between a port of its own and `port`. Held, it passes no replies on; `after` holds it by itself, with the
    first request that has these bytes in it, which itself still gets through."""

    def __init__(self, port):
        self.there, self.port = port, free_port()
        self.passing, self.after = threading.Event(), None
        self.passing.set()
        self.held_by_request = threading.Event()
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, after=None):
        """Now, or with the request that comes."""
        self.after = after
        if after is None:
            self.passing.clear()

    def release(self):
        self.after = None
        self.held_by_request.clear()
        self.passing.set()

    def cut(self):
        """Ends all connections."""
        for end in self.connections:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def close(self):
        self.listener.close()
        self.release()
        self.cut()

    def _accept(self):
        while True:
            try:
                here = self.listener.accept()[0]
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self.there))
            except OSError:
                here.close()
                continue
            self.connections += [here, there]
            threading.Thread(target=self._pass, args=(here, there, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(there, here, False), daemon=True).start()

    def _pass(self, source, target, is_request):
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if not is_request:
                    self.passing.wait()
                elif self.after and self.after in chunk:
                    self.passing.clear()
                    self.held_by_request.set()
                target.sendall(chunk)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
