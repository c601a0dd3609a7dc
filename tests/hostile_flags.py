"""Flags of update checks as nobody should write them: none can be read, and a check with one is still a check."""

from __future__ import annotations

# As they stand in a query. Percent-escapes are decoded by the collector; what is no escape goes as it is.
HOSTILE_FLAGS = (
    *("first=", "first=x", "first=D", "first=wd", "first=dd", "first=dmw", "first=e", "first=w", "first=m", "first=we"),
    *(
        "first=dwmee",
        "first=day",
        "first=day,week",
        "first=d%20",
        "first=%20d",
        "first=d%00",
        "first=d%0A",
    ),
    *("first=d%0D%0ASet-Cookie:x=1", "first[]=d", "first=%5B%22d%22%5D", "first=null", "first=true", "first=1"),
    *("first=%EF%BD%84", "first=%64%2564", "first=%FF", "first=%C0%AE", "first=" + "d" * 2000, "First=d", "FIRST=d"),
    *("age=", "age=-1", "age=1.5", "age=01", "age=%201", "age=1e1", "age=14", "age=25", "age=27", "age=99999999999"),
    *("age=%D9%A3", "age=%EF%BC%93", "age=0x3", "age=NaN", "age=Infinity", "age=null", "age=3;DROP%20TABLE%20hot"),
    *("age='%20OR%201=1--", "age=%3Cscript%3E", "age=" + "9" * 2000, "age[]=3", "age=%00", "age={x:String}"),
    *(
        "os=",
        "os=Windows",
        "os=win",
        "os=../../etc/passwd",
        "os=%2e%2e%2f",
        "os=(other)",
        "os=(unknown)",
        "os=%F0%9F%92%A9",
    ),
    *("arch=", "arch=x64", "arch=arm64", "arch=X86_64", "arch=(unknown)", "arch=*", "arch=x86_64%00", "arch=amd64,x86"),
    *(
        "ch=",
        "ch=STABLE",
        "ch=alpha",
        "ch=stable%20",
        "ch=../beta",
        "ch=(other)",
        "ch=stable%0d%0a",
        "ch=" + "c" * 1000,
    ),
    *(
        "test=0",
        "test=",
        "test=no",
        "test=2",
        "kind=install",
        "product=other",
        "version=9.9.9",
        "id=1",
        "age_s=999999999",
    ),
    *("&&&&&", "=", "=&=", "%", "%zz", "%u0041", "a" * 3000, "x=1&" * 500, "first=x&first=y&first=z", "noCache=1jb3k"),
)
# In place of the version: answered, and not counted, for nobody knows which version asks.
HOSTILE_VERSIONS = (
    *(
        "",
        "1",
        "v1.4.1",
        "1.4.1+meta",
        "1.4.",
        ".1.4",
        "1..4",
        "1.4.1-",
        "1.4.1-BETA",
        "1.4.1-beta.1.2",
        "1.4.1-beta.1234",
    ),
    *("1.2.3.4.5", "99999.1", "1.999999", "-1.4", "1.4.1%0A", "%201.4.1", "1.4.1%20", "1.4.1%00", "1,4,1", "1.4.x"),
    *(
        "%EF%BC%91.%EF%BC%94.%EF%BC%91",
        "%D9%A1.%D9%A4",
        "..%2f..%2fetc",
        "latest",
        "null",
        "NaN",
        "9" * 1000,
        "%FF.%FE",
    ),
    *("1.4.1-abcdefghijk", "1.4.1'--", "%3Cscript%3E", "$%7Bjndi:x%7D", "{current_version}", "{{current_version}}"),
)
