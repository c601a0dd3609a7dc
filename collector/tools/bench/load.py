"""The load of the bench: page hits sent by wrk over a fixed number of connections, each waiting for its answer.

    one page_hit a request, or as many as are wanted in an array: 200 paths, 4 agents (or one of its own a request), a
    referrer in half of them (a quarter another site, a quarter our own)
    X-Forwarded-For: 4 in 5 one of 1,000 known addresses, 1 in 5 an address of a /24 that was never seen before
    (its 8 million networks are walked in an order that looks random, so that none comes twice)

As fast as answers come, or at a rate: then every connection waits the same time between an answer and its next request.
Everything but the address is built before the load begins, so that wrk has little to do per request. The server must
trust 127.0.0.0/8 as a proxy. Called by rounds.py, growth.py and database.py.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

CONNECTIONS = 32
# Slower answers are errors of the run: wrk leaves them out of its count.
ANSWER_TIMEOUT_S = 10
_RESULT = "result "

_SCRIPT = r"""
local agents = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
  "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " ..
    "Version/17.7 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
}
local languages = {"en-US,en;q=0.9", "de-DE,de;q=0.8,en;q=0.5", "fr-FR,fr;q=0.9", "ja"}
local others = {"https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://duckduckgo.com/",
  "https://www.reddit.com/r/linux/", "https://en.wikipedia.org/wiki/Media_player"}
local areas = {"docs", "blog", "download", "features", "help"}
local heads, tails, known = {}, {}, {}
local fresh, number = 0, 0
local own_agents = false

local function body_of(events, first, referrer)
  local made = {}
  for i = first, first + events - 1 do
    local own = ',"referrer":"https://www.example.org/' .. areas[(i + 1) % 5 + 1] .. '/page-1"'
    local other = ',"referrer":"' .. others[i % 5 + 1] .. '"'
    made[#made + 1] = '{"kind":"page_hit","site":"www.example.org","url":"https://www.example.org/' ..
      areas[i % 5 + 1] .. "/page-" .. math.floor(i % 200 / 5) .. '"' .. ({"", "", own, other})[referrer] .. "}"
  end
  return events == 1 and made[1] or "[" .. table.concat(made, ",") .. "]"
end

function init(args)
  local events, delay_ms = tonumber(args[2]), tonumber(args[3])
  own_agents = args[4] ~= "0" and args[4] .. "-"
  if delay_ms > 0 then
    function delay() return delay_ms end
  end
  for i, agent in ipairs(agents) do
    heads[i] = "POST /v1/events HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
      "\r\nContent-Type: application/json\r\nUser-Agent: " .. agent .. (own_agents and " Own/@" or "") ..
      "\r\nAccept-Language: " .. languages[i] .. "\r\nX-Forwarded-For: "
  end
  for i = 0, 199 do
    for referrer = 1, 4 do
      local body = body_of(events, i, referrer)
      tails[#tails + 1] = "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
    end
  end
  math.randomseed(1)
  for i = 1, 1000 do
    known[i] = (128 + i % 63) .. "." .. math.random(0, 255) .. "." .. math.random(0, 255) .. "." .. math.random(1, 254)
  end
  math.randomseed(tonumber(args[1]))
  fresh = math.random(8257535)
end

local function address()
  if math.random(5) > 1 then return known[math.random(1000)] end
  fresh = (fresh + 5103365) % 8257536  -- 126 * 65536 networks below 127.0.0.0; the step has no divisor of it
  return (1 + math.floor(fresh / 65536)) .. "." .. math.floor(fresh / 256) % 256 .. "." .. fresh % 256 .. ".9"
end

function request()
  local head = heads[math.random(4)]
  if own_agents then
    number = number + 1
    head = head:gsub("@", own_agents .. number, 1)
  end
  return head .. address() .. tails[math.random(800)]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"seconds":%.6f,"bad_answers":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write +
    errors.timeout, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk saw. `wrk_cpu_ratio` is its share of one core: near 1 it, and not the server, was the limit.

    events       page hits in each request
    bad_answers  answers with a status of 400 or more
    broken       connections that failed, and answers that came too late
    """

    events: int
    requests: int
    seconds: float
    bad_answers: int
    broken: int
    p50_ms: float
    p99_ms: float
    wrk_cpu_ratio: float

    @property
    def requests_per_s(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds

    @property
    def hits(self) -> int:
        """Page hits that were answered."""
        return self.requests * self.events

    @property
    def hits_per_s(self) -> float:
        """Page hits answered a second."""
        return self.hits / self.seconds


def run_load(
    port: int, seconds: int, seed: int, *, events: int = 1, requests_per_s: float = 0.0, own_agents: int = 0
) -> Load:
    """Load 127.0.0.1:port for so long. The known addresses are always the same; the same seed means the same hits.

    events          page hits of each request
    requests_per_s  about how many requests are sent, where answers come in far less than a connection's turn; 0: all
    own_agents      a number of this load's own: every request has an agent that no other of any load has. 0: four
    """
    delay_ms = round(CONNECTIONS / requests_per_s * 1000) if requests_per_s else 0
    with tempfile.TemporaryDirectory(prefix="collector-load-") as folder:
        script = Path(folder) / "hits.lua"
        script.write_text(_SCRIPT)
        before, began = _children_cpu_s(), time.monotonic()
        said = subprocess.run(
            [
                *("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"),
                *("--timeout", f"{ANSWER_TIMEOUT_S}s", "--script", str(script)),
                *(f"http://127.0.0.1:{port}/v1/events", "--", str(seed), str(events), str(delay_ms)),
                str(own_agents),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        wrk_cpu_ratio = (_children_cpu_s() - before) / (time.monotonic() - began)
    result = next(line for line in said.splitlines() if line.startswith(_RESULT))
    return Load(events=events, **orjson.loads(result.removeprefix(_RESULT)), wrk_cpu_ratio=wrk_cpu_ratio)


def _children_cpu_s() -> float:
    """CPU of all children that ended; wrk is the only one that does during a load."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
