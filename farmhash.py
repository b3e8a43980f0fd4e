"""FarmHash's two fingerprints in plain Python, in place of the `pyfarmhash` package.

TensorFlow Data Validation imports `farmhash`, and `pyfarmhash` is published without wheels: it
would make a C++ compiler a condition of the set-up. Only TFDV's feature skew detection and its
partitioned statistics call these functions. The algorithms are those of Google's FarmHash (MIT
License); every answer equals the one of `pyfarmhash` 0.3.2.
"""

from __future__ import annotations

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF
_C1 = 0xCC9E2D51
_C2 = 0x1B873593
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F


def fingerprint32(text: str) -> int:
    """Returns the 32-bit fingerprint of `text` (UTF-8), the same on every platform."""
    data = text.encode()
    if len(data) <= 4:
        return _fingerprint32_of_0_to_4(data)
    if len(data) <= 12:
        return _fingerprint32_of_5_to_12(data)
    if len(data) <= 24:
        return _fingerprint32_of_13_to_24(data)
    return _fingerprint32_of_more(data)


def fingerprint64(text: str) -> int:
    """Returns the 64-bit fingerprint of `text` (UTF-8), the same on every platform."""
    data = text.encode()
    if len(data) <= 16:
        return _fingerprint64_of_0_to_16(data)
    if len(data) <= 32:
        return _fingerprint64_of_17_to_32(data)
    if len(data) <= 64:
        return _fingerprint64_of_33_to_64(data)
    return _fingerprint64_of_more(data)


def _word32(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4], "little")


def _word64(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 8], "little")


def _rotate32(value: int, shift: int) -> int:
    value &= _MASK32
    return (value >> shift | value << (32 - shift)) & _MASK32


def _rotate64(value: int, shift: int) -> int:
    value &= _MASK64
    return (value >> shift | value << (64 - shift)) & _MASK64


def _finish32(h: int) -> int:
    h &= _MASK32
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK32
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK32
    return h ^ h >> 16


def _times_five(h: int) -> int:
    return (_rotate32(h, 19) * 5 + 0xE6546B64) & _MASK32


def _scramble32(a: int) -> int:
    return _rotate32(a * _C1, 17) * _C2 & _MASK32


def _murmur(a: int, h: int) -> int:
    return _times_five(h ^ _scramble32(a))


def _fingerprint32_of_0_to_4(data: bytes) -> int:
    b, c = 0, 9
    for byte in data:
        signed = byte - 256 if byte > 127 else byte
        b = (b * _C1 + signed) & _MASK32
        c ^= b
    return _finish32(_murmur(b, _murmur(len(data), c)))


def _fingerprint32_of_5_to_12(data: bytes) -> int:
    n = len(data)
    a = n + _word32(data, 0)
    b = n * 5 + _word32(data, n - 4)
    c = 9 + _word32(data, (n >> 1) & 4)
    return _finish32(_murmur(c, _murmur(b, _murmur(a, n * 5))))


def _fingerprint32_of_13_to_24(data: bytes) -> int:
    n = len(data)
    a, b, c = _word32(data, (n >> 1) - 4), _word32(data, 4), _word32(data, n - 8)
    d, e, f = _word32(data, n >> 1), _word32(data, 0), _word32(data, n - 4)
    h = d * _C1 + n
    a = _rotate32(a, 12) + f
    h = _murmur(c, h) + a
    a = _rotate32(a, 3) + c
    h = _murmur(e, h) + a
    a = _rotate32(a + f, 12) + d
    return _finish32(_murmur(b, h) + a)


def _fingerprint32_of_more(data: bytes) -> int:
    n = len(data)
    a0, a1, a2, a3, a4 = (_scramble32(_word32(data, n - back)) for back in (4, 8, 16, 12, 20))
    h = _times_five(_times_five(n ^ a0) ^ a2)
    g = _times_five(_times_five(_C1 * n & _MASK32 ^ a1) ^ a3)
    f = _rotate32(_C1 * n + a4, 19) + 113
    for s in range(0, (n - 1) // 20 * 20, 20):
        a, b, c, d, e = (_word32(data, s + i) for i in (0, 4, 8, 12, 16))
        h = _murmur(d, h + a) + e
        g = _murmur(c, g + b) + a
        f = _murmur(b + e * _C1, f + c) + d + g
        g = (g + f) & _MASK32
    g = _rotate32(_rotate32(g, 11) * _C1, 17) * _C1
    f = _rotate32(_rotate32(f, 11) * _C1, 17) * _C1
    h = _rotate32(_times_five(h + g), 17) * _C1
    return _rotate32(_times_five(h + f), 17) * _C1 & _MASK32


def _mix(value: int) -> int:
    value &= _MASK64
    return value ^ value >> 47


def _hash16(u: int, v: int, mul: int) -> int:
    a = _mix((u ^ v) * mul)
    return _mix((v ^ a) * mul) * mul & _MASK64


def _fingerprint64_of_0_to_16(data: bytes) -> int:
    n = len(data)
    if n >= 8:
        mul = _K2 + n * 2
        a, b = _word64(data, 0) + _K2, _word64(data, n - 8)
        return _hash16(_rotate64(b, 37) * mul + a, (_rotate64(a, 25) + b) * mul, mul)
    if n >= 4:
        return _hash16(n + (_word32(data, 0) << 3), _word32(data, n - 4), _K2 + n * 2)
    if n > 0:
        y = data[0] + (data[n >> 1] << 8)
        z = n + (data[n - 1] << 2)
        return _mix(y * _K2 ^ z * _K0) * _K2 & _MASK64
    return _K2


def _fingerprint64_of_17_to_32(data: bytes) -> int:
    n = len(data)
    mul = _K2 + n * 2
    a, b = _word64(data, 0) * _K1, _word64(data, 8)
    c, d = _word64(data, n - 8) * mul, _word64(data, n - 16) * _K2
    return _hash16(_rotate64(a + b, 43) + _rotate64(c, 30) + d, a + _rotate64(b + _K2, 18) + c, mul)


def _fingerprint64_of_33_to_64(data: bytes) -> int:
    n = len(data)
    mul = _K2 + n * 2
    a, b = _word64(data, 0) * _K2, _word64(data, 8)
    c, d = _word64(data, n - 8) * mul, _word64(data, n - 16) * _K2
    y = _rotate64(a + b, 43) + _rotate64(c, 30) + d
    z = _hash16(y, a + _rotate64(b + _K2, 18) + c, mul)
    e, f = _word64(data, 16) * mul, _word64(data, 24)
    g, h = (y + _word64(data, n - 32)) * mul, (z + _word64(data, n - 24)) * mul
    return _hash16(_rotate64(e + f, 43) + _rotate64(g, 30) + h, e + _rotate64(f + a, 18) + g, mul)


def _weak_hash(data: bytes, s: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word64(data, s + i) for i in (0, 8, 16, 24))
    a += w
    b = _rotate64(b + a + z, 21)
    c = a
    a += x + y
    b += _rotate64(a, 44)
    return (a + z) & _MASK64, (b + c) & _MASK64


def _fingerprint64_of_more(data: bytes) -> int:
    last = len(data) - 1
    x = 81 * _K2 + _word64(data, 0)
    y = 81 * _K1 + 113
    z = _mix(y * _K2 + 113) * _K2 & _MASK64
    v, w = (0, 0), (0, 0)
    for s in range(0, last // 64 * 64, 64):
        x = _rotate64(x + y + v[0] + _word64(data, s + 8), 37) * _K1 ^ w[1]
        y = _rotate64(y + v[1] + _word64(data, s + 48), 42) * _K1 + v[0] + _word64(data, s + 40)
        z = _rotate64(z + w[0], 33) * _K1
        v = _weak_hash(data, s, v[1] * _K1, x + w[0])
        w = _weak_hash(data, s + 32, z + w[1], y + _word64(data, s + 16))
        x, y, z = z & _MASK64, y & _MASK64, x & _MASK64
    mul = _K1 + ((z & 0xFF) << 1)
    s = last - 63
    w = w[0] + (last & 63), w[1]
    v = v[0] + w[0], v[1]
    w = w[0] + v[0], w[1]
    x = _rotate64(x + y + v[0] + _word64(data, s + 8), 37) * mul ^ w[1] * 9
    y = _rotate64(y + v[1] + _word64(data, s + 48), 42) * mul + v[0] * 9 + _word64(data, s + 40)
    z = _rotate64(z + w[0], 33) * mul
    v = _weak_hash(data, s, v[1] * mul, x + w[0])
    w = _weak_hash(data, s + 32, z + w[1], y + _word64(data, s + 16))
    x, z = z, x
    return _hash16(_hash16(v[0], w[0], mul) + _mix(y) * _K0 + z, _hash16(v[1], w[1], mul) + x, mul)
