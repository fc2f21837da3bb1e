"""Requests as they are written and not as a client would make them, and answers to them."""

import contextlib
import http.client
import socket

from proving import Answer, ask, expect


def refused(desk, name, sent, status, code):
    """Refused in so many words, and nothing is kept."""
    before = desk.database.count()
    answer = exchange(desk.room.port, sent)
    got = (answer.status, answer.json()["error"]["code"]) if answer else None
    expect(got == (status, code), f"{name}: {answer} instead of {status} {code}")
    expect(desk.database.count() == before, f"{name}: refused, and kept")


def exchange(port, sent, timeout=60):
    """Writes the request as it is, and reads what comes although not all of it may have been taken."""
    return raw(port, head(sent, f"Content-Length: {len(sent.body)}") + sent.body, timeout=timeout)


def head(sent, length):
    """The head of a request; `length` is the field that tells how much of a body comes."""
    lines = [f"POST {sent.path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", length]
    lines += [f"{name}: {value}" for name, value in sent.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def raw(port, data, half_close=False, timeout=60):
    """What is answered to these bytes; None if nothing is."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method="POST")
        try:
            response.begin()
            return Answer(response)
        except (OSError, http.client.HTTPException):
            return None


def livez(port):
    with contextlib.suppress(OSError):
        return ask(port, "/livez").status == 200
    return False
