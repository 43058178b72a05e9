"""`@connections` of the stage: requests that the SDK signs and sends, without one of its clients around them.

A push is one POST, of whose answer only the status counts. What the SDK's client does beyond signing and sending is a
third of a push's CPU, and a fan-out is nothing but pushes. The way back is that client's `post_to_connection`.
"""

from __future__ import annotations

import socket
from http import HTTPStatus
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ConnectionClosedError, NoCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import get_environ_proxies

from chat.budget import budget
from chat.delivery import Pushed
from chat.parallel import THREADS
from chat.sdk import trace_header
from chat.tls import share_roots

CONNECT_SECONDS = 0.5
READ_SECONDS = 0.5
"""The sender's acknowledgement waits for the slowest push. A device that misses one finds the message at its `sync`."""

SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
"""As the SDK's clients set them: headers and body do not wait for each other, and a dead peer is noticed."""


class ApiGateway:
    """The connections behind an endpoint, `https://ID.execute-api.REGION.amazonaws.com/STAGE`."""

    def __init__(self, session: Session, endpoint: str) -> None:
        self._connections = f"{endpoint}/@connections/"
        self._credentials = session.get_credentials()
        self._region = session.get_config_variable("region")
        self._http = URLLib3Session(
            verify=session.get_config_variable("ca_bundle") or True,
            proxies=get_environ_proxies(endpoint),
            timeout=(CONNECT_SECONDS, READ_SECONDS),  # type: ignore[arg-type]  # the stubs know of no pair
            max_pool_connections=THREADS,
            socket_options=SOCKET_OPTIONS,  # type: ignore[arg-type]  # which are not strings
        )
        share_roots(self._http)

    def push(self, connection_id: str, data: bytes) -> Pushed:
        """One try, and its outcome."""
        try:
            status = self._ask("POST", connection_id, data)
        except BotoCoreError:
            return Pushed.FAILED
        if status == HTTPStatus.GONE:
            return Pushed.GONE
        return Pushed.TAKEN if status == HTTPStatus.OK else Pushed.FAILED

    def close(self, connection_id: str) -> bool:
        """One try. A connection that stays is ended by API Gateway after two hours."""
        try:
            status = self._ask("DELETE", connection_id)
        except BotoCoreError:
            return False
        return status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.GONE)

    def _ask(self, method: str, connection_id: str, data: bytes = b"") -> int:
        """The status of the answer. Raises BotoCoreError where there is none."""
        budget.check()
        request = self._signed(method, self._connections + quote(connection_id, safe=""), data)
        try:
            return self._http.send(request.prepare()).status_code
        except ConnectionClosedError:
            # Nobody answered because the connection, left from an earlier event, was dead.
            return self._http.send(request.prepare()).status_code

    def _signed(self, method: str, url: str, data: bytes) -> AWSRequest:
        request = AWSRequest(method, url, {"User-Agent": "parley", **trace_header()}, data)
        if self._credentials is None:
            raise NoCredentialsError
        SigV4Auth(self._credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(request)
        return request
