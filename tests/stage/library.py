"""libumx, called as a program calls it that stays: one connection for many operations."""

import ctypes
import json


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.POINTER(ctypes.c_uint8)), ("length", ctypes.c_size_t)]


TIMEOUT, ITEM, END = 0, 1, 6


class Session:
    def __init__(self, library, **options):
        self.library = ctypes.CDLL(str(library))
        for name, arguments in (("umx_session_close", [ctypes.c_void_p]), ("umx_op_close", [ctypes.c_void_p]),
                                ("umx_op_next", [ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(_Buffer)])):
            getattr(self.library, name).argtypes = arguments
        self.handle = self._open("umx_session_open", {k: str(v) for k, v in options.items()})

    def _open(self, function, document, *before):
        text, out, error = json.dumps(document).encode(), ctypes.c_void_p(), _Buffer()
        status = getattr(self.library, function)(*before, text, ctypes.c_size_t(len(text)), ctypes.byref(out),
                                                 ctypes.byref(error))
        if status != 0:
            raise OSError(self._take(error).decode())
        return out

    def _take(self, buffer):
        data = ctypes.string_at(buffer.data, buffer.length) if buffer.length else b""
        self.library.umx_buf_free(ctypes.byref(buffer))
        return data

    def records(self, operation, **arguments):
        """Each record as (kind, bytes), to the end; a failure is an OSError."""
        op = self._open("umx_op_start", {"operation": operation, "arguments": arguments}, self.handle)
        try:
            while True:
                buffer = _Buffer()
                kind = self.library.umx_op_next(op, 60000, ctypes.byref(buffer))
                record = self._take(buffer)
                if kind <= TIMEOUT:
                    raise OSError(record.decode() or "no record came")
                yield kind, record
                if kind == END:
                    return
        finally:
            self.library.umx_op_close(op)

    def close(self):
        self.library.umx_session_close(self.handle)
