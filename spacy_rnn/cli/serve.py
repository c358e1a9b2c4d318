"""python -m spacy rnn serve: a web service that predicts with a pipeline."""

import sys
from pathlib import Path
from typing import Annotated, Optional

from spacy.cli._util import import_code
from typer import Argument, Option
from wasabi import msg

from .io import batch_size_option, code_option, fail, gpu_option, load, use_gpu


def serve_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
    host: Annotated[
        str, Option("--host", help="Address to listen on; 0.0.0.0 for all addresses")
    ] = "127.0.0.1",
    port: Annotated[int, Option("--port", help="Port to listen on; 0 for any free port")] = 8000,
    workers: Annotated[
        int, Option("--workers", min=1, help="Number of processes, which share the pipeline")
    ] = 1,
    batch_size: Annotated[int, batch_size_option("Texts in a batch, of one or more requests")] = 32,
    batch_wait: Annotated[
        float,
        Option("--batch-wait-ms", min=0, help="Milliseconds that a text waits for others"),
    ] = 2.0,
    queue_size: Annotated[
        int, Option("--queue-size", min=1, help="Maximum number of waiting texts per process")
    ] = 1000,
    timeout: Annotated[
        float, Option("--timeout", help="Seconds after which a request fails")
    ] = 30.0,
    max_texts: Annotated[
        int, Option("--max-texts", min=1, help="Maximum number of texts in a request")
    ] = 100,
    max_length: Annotated[
        int, Option("--max-length", min=1, help="Maximum number of characters in a text")
    ] = 20_000,
    max_body: Annotated[
        int, Option("--max-body", min=1, help="Maximum number of bytes in a request body")
    ] = 1 << 20,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
) -> None:
    """Serve a pipeline: predictions as JSON at /predict, and a page to try it in a browser at /.

    Stops at Ctrl-C or SIGTERM, after answering the requests that were accepted.
    """
    from ..serve.app import Settings
    from ..serve.requests import Limits
    from ..serve.server import StartError, open_socket, serve

    if workers > 1 and gpu_id >= 0:
        fail("A GPU cannot be used by forked processes. Leave out --workers.")
    limits = Limits(max_texts, max_length, max_body)
    settings = Settings(batch_size, batch_wait / 1000, queue_size, timeout, limits)
    import_code(code)
    use_gpu(gpu_id)
    nlp = load(model)
    listener = open_socket(host, port)
    address = f"[{host}]" if ":" in host else host
    msg.good(f"Serving {model} at http://{address}:{listener.getsockname()[1]}")
    # Forked processes would print it again.
    sys.stdout.flush()
    try:
        serve(nlp, listener, settings, workers)
    except StartError as error:
        fail(str(error))
