"""The endpoints of the service."""

import asyncio
import json
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, AsyncIterator, List, Mapping, Optional, Union

from spacy.language import Language

from ..optional import optional_import
from ..validation import above_zero, at_least, number_at_least
from .answers import SAMPLE, Answers
from .batches import Batches, QueueFull
from .metrics import Metrics
from .requests import BadRequest, Limits, read_texts

logger = logging.getLogger("spacy_rnn.serve")
PAGE = Path(__file__).with_name("page.html")
#: the page loads nothing from elsewhere
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; img-src data:",
}
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: endpoints for texts, with what the pipeline needs for each
ENDPOINTS = {
    "predict": "components",
    "attention": "translator with attention",
    "suggest": "language model that suggests words",
}


@dataclass(frozen=True)
class Settings:
    """Settings of the service.

    batch_size (int): Texts in a batch.
    batch_wait (float): Seconds that a text waits for others to fill its batch.
    queue_size (int): Texts that may wait.
    timeout (float): Seconds until a request that has no answer fails.
    limits (Limits): Limits of a request.
    """

    batch_size: int = 32
    batch_wait: float = 0.002
    queue_size: int = 1000
    timeout: float = 30.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        at_least(1, batch_size=self.batch_size)
        number_at_least(0, batch_wait=self.batch_wait)
        above_zero(timeout=self.timeout)
        if self.queue_size < self.limits.max_texts:
            raise ValueError(
                f"The queue must have room for the texts of a request: it has {self.queue_size} "
                f"places, and a request may have {self.limits.max_texts} texts."
            )


def make_app(nlp: Language, settings: Settings) -> Any:
    """Make the ASGI application. A thread predicts while it runs.

    nlp (Language): The pipeline. Nothing else may use it from then on.
    settings (Settings): The settings.
    RETURNS (starlette.applications.Starlette): The application.
    RAISES (ImportError): If a library is not installed.
    """
    with optional_import("starlette", "The service"):
        from starlette.applications import Starlette
        from starlette.routing import Route
    with optional_import("prometheus_client", "The service"):
        metrics = Metrics()
    service = _Service(nlp, settings, metrics)
    routes = [
        Route("/", service.page),
        Route("/info", service.info),
        Route("/health", service.health),
        Route("/ready", service.ready),
        Route("/metrics", service.metrics),
    ]
    for name in ENDPOINTS:
        routes.append(Route(f"/{name}", partial(service.answer, name), methods=["POST"]))
    return Starlette(routes=routes, lifespan=service.lifespan)


class _Service:
    """The functions of the endpoints."""

    def __init__(self, nlp: Language, settings: Settings, metrics: Metrics):
        self._nlp = nlp
        self._settings = settings
        limits = settings.limits
        self._limits = replace(limits, max_length=min(limits.max_length, nlp.max_length))
        self._metrics = metrics
        self._page = PAGE.read_bytes()

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        settings = self._settings
        self._answers = Answers(self._nlp).by_name
        # Whatever is made by the first prediction is made now.
        self._answers["predict"]([SAMPLE])
        self._batches = Batches(
            self._answers,
            settings.batch_size,
            settings.batch_wait,
            settings.queue_size,
            self._metrics,
        )
        self._metrics.update_memory()
        yield
        self._batches.close()

    async def answer(self, name: str, request: Any) -> Any:
        """Answer texts, `{"texts": [...]}`, by `{"results": [...]}`, or say in `{"error": ...}` why
        not."""
        start = time.monotonic()
        try:
            # Before the body is read: under overload, what a refusal costs is lost for answers.
            self._batches.check_room(1)
            results = await asyncio.wait_for(self._results(name, request), self._settings.timeout)
            response = _response(200, f'{{"results": [{", ".join(results)}]}}')
        except BadRequest as error:
            response = _error(error.status, str(error))
        except QueueFull as error:
            response = _error(429, str(error), {"Retry-After": str(error.retry_after)})
        except asyncio.TimeoutError:
            seconds = self._settings.timeout
            response = _error(504, f"There was no answer within {seconds:g} seconds.")
        except Exception:
            logger.exception("A request to /%s failed", name)
            response = _error(500, "The pipeline failed. The log of the service says why.")
        self._metrics.requests.labels(name, response.status_code).inc()
        self._metrics.seconds.labels(name).observe(time.monotonic() - start)
        return response

    async def _results(self, name: str, request: Any) -> List[str]:
        if name not in self._answers:
            raise BadRequest(404, f"The pipeline has no {ENDPOINTS[name]}.")
        texts = await read_texts(request, self._limits)
        return await self._batches.submit(name, texts)

    async def info(self, request: Any) -> Any:
        about = {
            "name": self._nlp.meta["name"],
            "lang": self._nlp.lang,
            "components": self._nlp.pipe_names,
            "endpoints": list(self._answers),
            "limits": asdict(self._limits),
        }
        return _response(200, json.dumps(about))

    async def health(self, request: Any) -> Any:
        if self._batches.is_alive:
            return _response(200, '{"status": "ok"}')
        return _error(503, "The thread of predictions has ended.")

    async def ready(self, request: Any) -> Any:
        if self._batches.is_alive and self._batches.has_room:
            return _response(200, '{"status": "ready"}')
        return _error(503, "Too many texts are waiting.")

    async def page(self, request: Any) -> Any:
        return _response(200, self._page, "text/html; charset=utf-8", PAGE_HEADERS)

    async def metrics(self, request: Any) -> Any:
        return _response(200, self._metrics.render(), METRICS_TYPE)


def _response(
    status: int,
    content: Union[str, bytes],
    media_type: str = "application/json",
    headers: Optional[Mapping[str, str]] = None,
) -> Any:
    from starlette.responses import Response

    return Response(content, status, headers, media_type)


def _error(status: int, message: str, headers: Optional[Mapping[str, str]] = None) -> Any:
    return _response(status, json.dumps({"error": message}), headers=headers)
