"""A hostile agent: a stream of hand-made messages over HTTP/2, said with a good certificate.

Run inside a lab: wire.py HOST:PORT IDENTITY ROOT MESSAGE... (hex); prints `ended` when the other side ends the stream.
"""

import socket
import ssl
import struct
import sys

HEADERS, RST_STREAM, SETTINGS, GOAWAY, DATA = 1, 3, 4, 7, 0
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def field(number, value):
    """One protobuf field: text, bytes (a message too) or an integer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def hello(server):
    return field(1, field(1, server) + field(2, "0") + field(3, 1))


def report_of_a_service(server, name):
    """A whole report of the table `service` with one row (numbers as in proto/umx/v1)."""
    row = field(1, server) + field(2, name) + field(4, 1)
    return field(2, field(1, "service") + field(2, 1) + field(3, bytes(32)) + field(4, 0) + field(5, 1) +
                 field(6, field(13, row)))


def _frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _header(name, value):
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _receive(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            return None
        data += more
    return data


def speak(address, identity, root, messages, timeout=10):
    """True when the other side ended the stream, False when it still listens after timeout seconds."""
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(identity)
    with context.wrap_socket(socket.create_connection((host, int(port)), timeout)) as connection:
        head = b"".join(_header(*pair) for pair in ((":method", "POST"), (":scheme", "https"),
                                                    (":path", "/umx.v1.Agents/Attach"), (":authority", address),
                                                    ("te", "trailers"), ("content-type", "application/grpc")))
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0) +
                           _frame(HEADERS, END_HEADERS, 1, head))
        for message in messages:
            connection.sendall(_frame(DATA, 0, 1, b"\0" + struct.pack(">I", len(message)) + message))
        try:
            while (prefix := _receive(connection, 9)) is not None:
                length, kind, flags = int.from_bytes(prefix[:3], "big"), prefix[3], prefix[4]
                _receive(connection, length)
                if kind == SETTINGS and not flags & ACK:
                    connection.sendall(_frame(SETTINGS, ACK, 0))
                if kind in (RST_STREAM, GOAWAY) or (kind in (HEADERS, DATA) and flags & END_STREAM):
                    return True
        except TimeoutError:
            return False
    return True


if __name__ == "__main__":
    print("ended" if speak(*sys.argv[1:4], [bytes.fromhex(text) for text in sys.argv[4:]]) else "open")
