"""The answer to a request while the node's store cannot be used: 503, and one line in the log."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http.authentication import language_of
from api.http.routes import GRAPHQL
from infra.messages import SOURCE, message, word
from infra.store_faults import STORE_ERRORS, STORE_FAILURES, store_fault
from schema.engine.error_codes import STORE_UNAVAILABLE

LOG: Final = logging.getLogger(__name__)
STORE_AWAY: Final = message("STORE_AWAY", "This node's store does not answer: {why}. Try again later.")


async def answer_store_failure(request: Request, error: Exception) -> Response:
    """Return the answer to a request whose store failed; raises the error where it is a bug."""
    fault = store_fault(error)
    if fault is None or not isinstance(request, Request):
        raise error
    LOG.error("%s: the store does not answer: %s", request.state.path, fault)
    graphql = request.url.path == GRAPHQL.path
    said = (STORE_UNAVAILABLE.said if graphql else STORE_AWAY)(why=STORE_FAILURES[fault]())
    text = word(said, language_of(request.headers) or SOURCE)
    if graphql:
        extensions = {"code": said.code, "fault": fault.value}
        return JSONResponse({"errors": [{"message": text, "extensions": extensions}]}, 503)
    return JSONResponse({"message": text}, 503)


HANDLERS: Final = dict.fromkeys(STORE_ERRORS, answer_store_failure)
"""For `Starlette(exception_handlers=…)`."""
