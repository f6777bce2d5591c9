"""The smallest picture and the shortest sound: one red pixel, one silent frame."""

import base64
import struct
import zlib


def png() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    chunks = ((b"IHDR", header), (b"IDAT", pixel), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def wav() -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sIh", b"data", 2, 0)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


PNG = base64.b64encode(png()).decode()
WAV = base64.b64encode(wav()).decode()
