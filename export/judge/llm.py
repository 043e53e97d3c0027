"""HandJudge by a language model: FingerCap's two axes asked of any server that speaks OpenAI's chat protocol.

The paper's prompt and scale are not public; this rubric is our own reading of its two axes, finger-level correctness
and completeness of the motion, on 0..10. Only texts are sent: what truly happens and what was said, never a picture.
The key comes from the environment, goes into one header, and is never printed, written or redirected to another host.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from edge.addresses import is_loopback
from edge.errors import FigopError
from edge.language.resource import load
from edge.narrator import narrate
from edge.score import Score
from export.judge.judge import Line

#: Environment variables that may hold the key, in this order; a local server often needs none.
KEYS = ("FIGOP_LLM_KEY", "OPENAI_API_KEY")
#: A server that is busy (429, 5xx) is asked so often, waiting so many seconds in between unless it says how many.
TRIES, WAIT_S, MOST_WAIT_S = 4, 2.0, 60.0
TIMEOUT_S = 120.0
#: An answer is a short JSON object; a server that sends more is not what it should be.
MOST_BYTES = 1 << 20

RUBRIC = """You judge captions of hand motion. You are given what truly happens (the reference, timed) and the \
captions that a system gave for the same clip. Judge only what is said, on two axes, each from 0 to 10 (halves allowed):

correctness: is what the captions say true of each hand and each finger named? 10 = every hand, finger, motion, \
direction and contact that is said is in the reference; 5 = about half of it; 0 = nothing. A wrong hand or finger is a \
full error, a wrong direction or contact half an error. Saying nothing while something happens is 0.
completeness: is what happens said, in the right order? 10 = every event of the reference is said in order; 5 = about \
half; 0 = none.

Other words for the same motion are right (bend = curl). Times need not be said. How slow, how far and how often do \
not count. If nothing happens and nothing is said, both are 10; if nothing happens and something is said, both are 0.

Answer with one JSON object and nothing else: \
{"correctness": NUMBER, "completeness": NUMBER, "reason": "one sentence"}"""


class LlmError(FigopError):
    """The server of the language model cannot be used; `fatal` = nor for any other clip."""

    def __init__(self, message: str, *, fatal: bool = True) -> None:
        super().__init__(message)
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one clip: both axes 0..10, and the model's reason."""

    correctness: float
    completeness: float
    reason: str = ""

    @property
    def hand_judge(self) -> float:
        """The mean of both axes, as the deterministic judge weighs its own."""
        return 0.5 * (self.correctness + self.completeness)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected request would take the key to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class LlmJudge:
    """Asks one server.

    Args:
        url: base of the API, such as http://localhost:8000/v1.
        model: as the server names it.
        key: sent as a bearer token; None = from the environment (`KEYS`), "" = none.
        sleep: between tries.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LlmError(f"--llm-judge needs an address such as http://localhost:8000/v1, found {url!r}.")
        if parts.username or parts.password:
            raise LlmError(f"--llm-judge must hold no password; set {KEYS[0]} in the environment instead.")
        self.model = model
        self._url = url.rstrip("/") + "/chat/completions"
        self._host = parts.hostname
        self._key = next((os.environ[k] for k in KEYS if os.environ.get(k)), "") if key is None else key
        if self._key and parts.scheme == "http" and not is_loopback(self._host):
            raise LlmError(f"The key would go to {self._host} unencrypted; use https, or unset {' and '.join(KEYS)}.")
        self._timeout, self._sleep = timeout, sleep
        direct = (urllib.request.ProxyHandler({}),) if is_loopback(self._host) else ()
        self._opener = urllib.request.build_opener(_NoRedirect, *direct)

    def judge(self, reference: Score, lines: Sequence[Line], language: str = "en") -> Verdict:
        """Ask about one clip. Raises LlmError."""
        return verdict(self.ask(RUBRIC, _question(reference, lines, language)))

    def ask(self, system: str, user: str) -> str:
        """The model's answer to one question. Raises LlmError."""
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0,
        }
        return self._content(self._post(body))

    def _post(self, body: dict[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "figop"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        for left in reversed(range(TRIES)):
            request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
            try:
                with self._opener.open(request, timeout=self._timeout) as answer:
                    return bytes(answer.read(MOST_BYTES))
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in (429, 500, 502, 503, 504) and left:
                        self._sleep(_wait(error.headers.get("Retry-After"), TRIES - 1 - left))
                        continue
                    raise self._refused(error) from None
            except TimeoutError:
                raise LlmError(f"{self._host} did not answer within {self._timeout:.0f} s.") from None
            except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
                reason = getattr(error, "reason", None) or error
                if isinstance(reason, TimeoutError):
                    raise LlmError(f"{self._host} did not answer within {self._timeout:.0f} s.") from None
                raise LlmError(f"{self._host} cannot be reached: {self._hidden(str(reason))}.") from None
        raise AssertionError  # the loop returns or raises

    def _refused(self, error: urllib.error.HTTPError) -> LlmError:
        code, said = error.code, self._hidden(_reason(error))
        told = f" It says: {said}" if said else ""
        if code in (401, 403):
            which = "the key in the environment" if self._key else f"no key was set ({' or '.join(KEYS)})"
            return LlmError(f"{self._host} refused the request ({code}); {which}.{told}")
        if code == 404:
            return LlmError(f"{self._host} has no model {self.model!r} or no /chat/completions there (404).{told}")
        if 300 <= code < 400:
            return LlmError(f"{self._host} sends the request elsewhere ({code}); name the final address.")
        if code == 429:
            return LlmError(f"{self._host} allows no more requests now (429), asked {TRIES} times.{told}")
        return LlmError(f"{self._host} answered with error {code}.{told}", fatal=code >= 500 or code == 400)

    def _hidden(self, text: str) -> str:
        """The text without the key, should a server repeat it."""
        return text.replace(self._key, "***") if self._key else text

    def _content(self, answer: bytes) -> str:
        try:
            content = json.loads(answer)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError):
            raise LlmError(f"{self._host} does not speak the chat protocol: its answer has no message.") from None
        if not isinstance(content, str):
            raise LlmError(f"{self._host} answered with a message that holds no text.", fatal=False)
        return self._hidden(content)


def _wait(asked: str | None, tried: int) -> float:
    try:
        return min(MOST_WAIT_S, max(0.0, float(asked or "")))
    except ValueError:
        return float(min(MOST_WAIT_S, WAIT_S * 2**tried))


def _reason(error: urllib.error.HTTPError) -> str:
    """The server's own words, if it has some, on one line."""
    try:
        data = json.loads(error.read(4096))
        told = data["error"]["message"] if isinstance(data["error"], dict) else data["error"]
    except (ValueError, KeyError, TypeError, OSError):
        return ""
    return " ".join(str(told).split())[:200]


def _question(reference: Score, lines: Sequence[Line], language: str) -> str:
    true = sorted((e for e in reference if e.motion != "rest"), key=lambda e: (e.start, e.end))
    told = [f"{e.start:.2f}-{e.end:.2f} s: {narrate((e,), language=language)}" for e in true] or ["(nothing happens)"]
    said = [f"{line.start:.2f}-{line.end:.2f} s: {line.text}" for line in lines if line.text] or ["(nothing is said)"]
    where = load(language).data["language"]
    return "\n".join([f"Language of both: {where}", "REFERENCE", *told, "", "CAPTIONS", *said])


def verdict(content: str) -> Verdict:
    """The verdict in a model's answer, which may have words or a code fence around it. Raises LlmError."""
    for match in re.finditer(r"\{[^{}]*\}", content):
        try:
            data = json.loads(match.group())
            axes = [float(data[name]) for name in ("correctness", "completeness")]
        except (ValueError, KeyError, TypeError):
            continue
        if all(0.0 <= axis <= 10.0 for axis in axes):
            return Verdict(axes[0], axes[1], " ".join(str(data.get("reason", "")).split())[:300])
    shown = " ".join(content.split())[:80]
    raise LlmError(f"The model gave no verdict with two numbers from 0 to 10; it said {shown!r}.", fatal=False)
