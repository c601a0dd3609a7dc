"""What Python has no words for and a key needs: drawn where it is to lie, kept out of swap, nothing of it on the stack.

An object with a key in it could not be wiped, and would lie in freed memory for as long as the process lives. So
getrandom(2) writes into the mapping itself, and hashing reads the key there. hashlib clears its own state; what is left
of a key is what the compression had in its locals: on the C stack of the thread, the state after the key's block,
which serves as well as the key (measured: all eight words of it, minutes after the last hash). wipe_stack clears that.
"""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.getrandom.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint)
_LIBC.getrandom.restype = ctypes.c_ssize_t
_LIBC.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_ARGUMENTS = (0,) * 1024  # as many as ctypes takes: it clears an array of 32 bytes or more for each, on the stack


def draw(into: memoryview) -> None:
    """Fill memory with random bytes of the kernel, which waits until it has some; raises OSError."""
    filled = _LIBC.getrandom(_address(into), into.nbytes, 0)
    if filled != into.nbytes:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def keep_in_ram(memory: memoryview) -> None:
    """Keep whole pages from being swapped out, if this process may."""
    _LIBC.mlock(_address(memory), memory.nbytes)


def wipe_stack() -> None:
    """Clear 32 KiB of this thread's stack below its caller, where calls that ended have left their locals."""
    _LIBC.getppid(*_ARGUMENTS)


def _address(memory: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
