"""Writes small country databases in MaxMind's format (MaxMind DB 2.0), so that tests need no real one."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

Network = IPv4Network | IPv6Network
Node = list[Any]

_MAP, _TEXT, _UINT16, _UINT32 = 7, 2, 5, 6
_ARRAY, _UINT64 = 11, 9


def database(records: dict[Network, Any], *, ip_version: int = 6, build_epoch: int = 1_700_000_000) -> bytes:
    """A database with one record per network; IPv4 networks lie below ::/96 as the format wants it."""
    root: Node = [None, None]
    for network, record in records.items():
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        if ip_version == 6 and network.version == 4:
            bits = "0" * 96 + bits
        node = root
        for bit in bits[:-1]:
            if node[int(bit)] is None:
                node[int(bit)] = [None, None]
            node = node[int(bit)]
        node[int(bits[-1])] = {"record": record}
    nodes: list[Node] = []
    _number(root, nodes)
    places = {id(node): place for place, node in enumerate(nodes)}
    data = b""
    tree = b""
    for node in nodes:
        for child in node:
            value = len(nodes)
            if isinstance(child, list):
                value = places[id(child)]
            elif child is not None:
                value = len(nodes) + 16 + len(data)
                data += _encoded(child["record"])
            tree += value.to_bytes(3, "big")
    about = {
        "node_count": len(nodes),
        "record_size": ("u16", 24),
        "ip_version": ("u16", ip_version),
        "database_type": "Country",
        "languages": [],
        "binary_format_major_version": ("u16", 2),
        "binary_format_minor_version": ("u16", 0),
        "build_epoch": ("u64", build_epoch),
        "description": {},
    }
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about)


def _number(node: Node, nodes: list[Node]) -> None:
    nodes.append(node)
    for child in node:
        if isinstance(child, list):
            _number(child, nodes)


def _encoded(value: Any) -> bytes:
    match value:
        case str():
            return _head(_TEXT, len(value.encode())) + value.encode()
        case int():
            return _head(_UINT32, 4) + value.to_bytes(4, "big")
        case ("u16", int(number)):
            return _head(_UINT16, 2) + number.to_bytes(2, "big")
        case ("u64", int(number)):
            return _head(_UINT64, 8) + number.to_bytes(8, "big")
        case dict():
            return _head(_MAP, len(value)) + b"".join(_encoded(key) + _encoded(item) for key, item in value.items())
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    raise TypeError(value)


def _head(kind: int, size: int) -> bytes:
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
