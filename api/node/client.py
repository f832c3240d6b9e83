"""A person at a node, over HTTP: signing in, and asking its GraphQL."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx2

from api.cli.output import CannotDo, language
from infra.ids import new_id
from infra.settings import may_carry_secrets

SECONDS_MAX: Final = 60.0
UNAUTHORIZED: Final = 401


class MutationRefused(CannotDo):
    """The node said no to a mutation; the text is its own, in the caller's language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, message)
        self.code = code


class NodeClient:
    """One person's connection to one node. Closing it forgets the token; the password is never kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if not may_carry_secrets(url):
            raise CannotDo(
                f"{url} would send the password in the open: use https:// (http:// only on this machine).",
                f"{url} 会以明文发送密码，请使用 https://（仅本机可用 http://）。",
            )
        address = f"{parts.scheme}://{parts.netloc}"
        self._http = httpx2.Client(
            base_url=address, timeout=SECONDS_MAX, headers={"Accept-Language": language()}, trust_env=False
        )

    def sign_in(self, person: str, password: str) -> None:
        """Get a token; raises CannotDo when the node does not recognise the person."""
        answer = self._http.post("/auth/token", json={"person": person, "password": password})
        if answer.status_code != httpx2.codes.OK:
            raise CannotDo(*_no_sign_in(answer))
        self._http.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"

    def ask(self, document: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the data of a query; raises CannotDo with the node's words where there are errors."""
        answer = self._http.post("/graphql", json={"query": document, "variables": dict(variables or {})})
        if answer.status_code == UNAUTHORIZED:
            raise CannotDo("The sign-in is no longer valid. Sign in again.", "登录已失效，请重新登录。")
        try:
            content = dict(answer.json())
        except ValueError:
            answer.raise_for_status()
            raise
        if content.get("errors"):
            words = "; ".join(str(error.get("message")) for error in content["errors"])
            raise CannotDo(f"The node could not answer: {words}", f"节点无法回答：{words}")
        answer.raise_for_status()
        return dict(content["data"])

    def do(self, mutation: str, wanted: str, order: Mapping[str, object], *, kind: str | None = None) -> dict[str, Any]:
        """Run a mutation under a new request id and return what it made; raises MutationRefused.

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

    def __enter__(self) -> Self:
        """Return the client, which is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connection."""
        self.close()


def _no_sign_in(answer: httpx2.Response) -> tuple[str, str]:
    try:
        said = str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        said = ""
    return (
        said or f"Sign-in failed ({answer.status_code}). Check the employee number and the password.",
        said or f"登录失败（{answer.status_code}），请核对工号和密码。",
    )
