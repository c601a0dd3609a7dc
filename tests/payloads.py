"""What somebody sends who wants a question to do something else: 500 texts, each with a mark to know it again by."""

from __future__ import annotations

MARK = "q9mark"

_SEEDS = r"""
'
"
`
\
\'
;
--
/*
*/
' OR '1'='1
' OR 1=1 --
" OR ""="
') OR ('1'='1
' UNION SELECT * FROM hot --
' UNION ALL SELECT name, 1, 1 FROM system.tables --
'; DROP TABLE hot; --
'; DROP TABLE sealed; --
'; TRUNCATE TABLE hot; --
'; ALTER TABLE hot DELETE WHERE 1; --
'; INSERT INTO hot SELECT * FROM hot; --
'; SYSTEM SHUTDOWN; --
'; KILL QUERY WHERE 1; --
'; ATTACH TABLE x FROM '/etc' (x String) ENGINE = File(TSV); --
' AND sleep(3) = 0 --
' AND throwIf(1) --
' INTO OUTFILE '/tmp/x' --
{property:String}
{report:String}
{from_s:UInt32}
{nodes:Array(UInt64)}
{x:Identifier}
%(property)s
%s%s%s%n
{0.__class__.__mro__}
{{7*7}}
${7*7}
#{7*7}
<%= 7*7 %>
$(id)
`id`
| id
&& id
; id
../../../../etc/passwd
..%2f..%2fetc%2fpasswd
file:///etc/passwd
http://127.0.0.1:8080/
url('http://127.0.0.1/', TSV, 'x String')
file('/etc/passwd', 'TSV', 'x String')
remote('127.0.0.1', system.one)
executable('id', TSV, 'x String')
dictGet('x', 'y', 1)
toUInt32(1)
tuple(1, 2)
array(1)[1]
x -> x
<script>alert(1)</script>
"><img src=x onerror=alert(1)>
javascript:alert(1)
<!--#exec cmd="id"-->
<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>
=cmd|' /C calc'!A0
+1+1
-1-1
@SUM(1)
*)(uid=*))(|(uid=*
{"$gt": ""}
{"$where": "sleep(1)"}
[]
{}
null
None
NaN
Infinity
-0
1e309
0x10
1_000
99999999999999999999
-9223372036854775809
2026-11-22' AND 1=1
2026-11-22T00:00:00Z
2026-02-30
0000-00-00
today()
now()
1d'
-1d
1d 1d
path = /
path LIKE %
path=~.*
path!=\
country==de
(a+)+$
^(([a-z])+.)+[A-Z]([a-z])+$
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!
events
-events
--events
events,visitors
bucket;
visitors DESC
events LIMIT 1
events) FROM hot --
""".strip("\n").split("\n")

_ODD = [
    "\x00",
    "\x00' OR 1=1",
    "\r\nX-Injected: yes",
    "\n\n",
    "\t",
    "\x1b[2J",
    "\x7f",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\uff07 OR \uff11=\uff11",
    "\u0130\u0131\u00df\u1e9e",
    "\U0001f680",
    "e\u0301" * 40,
    "\ud7ff\ue000",
    "\U0010ffff",
    "'" * 300,
    "\\" * 301,
    "," * 300,
    "(" * 300,
    "[" * 300,
    "%" * 300,
    "=" * 300,
    "~" * 300,
    "9" * 300,
]


def payloads() -> list[str]:
    """Each text with the mark behind, in front, quoted, and as the rest of a comment."""
    seeds = [*_SEEDS, *_ODD]
    return [form for seed in seeds for form in (seed + MARK, MARK + seed, f"'{seed}'{MARK}", f"{MARK}*/{seed}--")]
