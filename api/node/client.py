"""An HTTP client of a node for one user: sign-in and GraphQL."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from api.language import language
from infra.closing import Closing
from infra.ids import new_id
from infra.messages import Failure, message
from infra.settings import is_address, may_carry_secrets

SECONDS_MAX: Final = 60.0
WAIT_SECONDS_MAX: Final = 60
UNAUTHORIZED: Final = 401
TOO_MANY_REQUESTS: Final = 429


class MutationRefused(Failure):
    """A mutation was refused: `refusal` is its code, and the text is the node's, in the caller's language."""

    def __init__(self, refusal: str, reason: str) -> None:
        super().__init__(message("MUTATION_REFUSED", "{reason}"), reason=reason)
        self.refusal = refusal


class NodeClient(Closing):
    """One user's connection to one node. Closing it discards the token; the password is never kept."""

    def __init__(self, url: str, *, sleep: Callable[[int], None] = time.sleep) -> None:
        self._sleep = sleep
        if not is_address(url):
            raise Failure(
                message("ADDRESS_INVALID", "{url} is not an address. Write it like https://hub.example:8700."), url=url
            )
        if not may_carry_secrets(url):
            raise Failure(
                message(
                    "PASSWORD_NOT_ENCRYPTED",
                    "{url} would send the password unencrypted. Use https:// (http:// only on this machine).",
                ),
                url=url,
            )
        parts = urlsplit(url)
        address = f"{parts.scheme}://{parts.netloc}"
        self._http = httpx2.Client(
            base_url=address, timeout=SECONDS_MAX, headers={"Accept-Language": language()}, trust_env=False
        )

    def sign_in(self, person: str, password: str) -> None:
        """Get a token; raises Failure when the node rejects the sign-in."""
        answer = self._http.post("/auth/token", json={"person": person, "password": password})
        if answer.status_code != httpx2.codes.OK:
            raise _no_sign_in(answer)
        self._http.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"

    def ask(self, document: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the data of a query; raises Failure with the node's errors.

        Waits for the next minute where the user's budget of cost is spent.
        """
        answer = self._post(document, variables)
        while answer.status_code == TOO_MANY_REQUESTS:
            # The cost budget of a minute is spent. The node did nothing.
            self._sleep(min(int(answer.headers["Retry-After"]), WAIT_SECONDS_MAX))
            answer = self._post(document, variables)
        if answer.status_code == UNAUTHORIZED:
            raise Failure(message("SIGN_IN_EXPIRED", "The sign-in is no longer valid. Sign in again."))
        try:
            content = dict(answer.json())
        except ValueError:
            answer.raise_for_status()
            raise
        if content.get("errors"):
            words = "; ".join(str(error.get("message")) for error in content["errors"])
            raise Failure(message("NODE_ANSWERED_ERRORS", "The node could not answer: {errors}"), errors=words)
        answer.raise_for_status()
        return dict(content["data"])

    def _post(self, document: str, variables: Mapping[str, object] | None) -> httpx2.Response:
        return self._http.post("/graphql", json={"query": document, "variables": dict(variables or {})})

    def do(self, mutation: str, wanted: str, order: Mapping[str, object], *, kind: str | None = None) -> dict[str, Any]:
        """Run a mutation under a new request id and return its result; raises MutationRefused.

        `wanted` is the selection on its success types, `kind` its input type where that is not named after it.
        """
        name = kind or f"{mutation[0].upper()}{mutation[1:]}Input"
        document = (
            f"mutation($input: {name}!) {{ {mutation}(input: $input)"
            f" {{ __typename ... on Refusal {{ code message }} {wanted} }} }}"
        )
        given = {"requestId": new_id(), **order}
        answer = dict(self.ask(document, {"input": given})[mutation])
        if "code" in answer and "message" in answer:
            raise MutationRefused(str(answer["code"]), str(answer["message"]))
        return answer

    def close(self) -> None:
        """End the connection."""
        self._http.close()


def _no_sign_in(answer: httpx2.Response) -> Failure:
    try:
        said = str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        said = ""
    if said:
        return Failure(message("SIGN_IN_REFUSED", "{reason}"), reason=said)
    return Failure(
        message("SIGN_IN_WITH_STATUS_FAILED", "Sign-in failed ({status}). Check the employee number and the password."),
        status=answer.status_code,
    )
