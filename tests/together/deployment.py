"""A deployment that is stopped and started, and whose data goes back."""

from __future__ import annotations

import os
import random
import shutil
import signal
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from chat.sessions import connection_ids
from chat.table import SESSIONS
from local import web
from local.deployment import Endpoint, deploy, local_client, local_secret, token
from local.emulator import Emulator, emulator
from parley import Chat
from tests.deployed import Deployed
from tests.hang import HANG_SECONDS

PORTS = range(20_000, 30_000)
"""Below those that the system gives to outgoing connections: while nobody listens on one, nobody else takes it."""


def url_of(endpoint: Endpoint, user: str) -> str:
    return f"{endpoint.url}?token={token(local_secret(endpoint), user)}"


def chat_of(endpoint: Endpoint, user: str) -> Chat:
    secret = local_secret(endpoint)
    return Chat.connect(endpoint.url, lambda: token(secret, user), timeout=HANG_SECONDS)


class Deployment:
    """A deployment and its page. Stopped and started again, they are where they were, with all that they held."""

    endpoint: Endpoint
    page: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = random.sample(PORTS, 2)
        self._running = ExitStack()
        self._emulator: Emulator

    def deploy(self, deployed: Deployed) -> None:
        self._emulator, self.endpoint = self._running.enter_context(deployed.copied(self._folder, port=self._ports[0]))
        self._serve()

    def start(self) -> None:
        self._start()
        self._serve()

    def _start(self) -> None:
        self._emulator = self._running.enter_context(emulator(self._folder, port=self._ports[0], keep=True))
        self.endpoint = self.endpoint.with_keys_of(self._emulator)

    def stop(self) -> None:
        self._running.close()

    def _serve(self) -> None:
        serving = web.serve(self.endpoint, local_secret(self.endpoint), port=self._ports[1])
        self.page = self._running.enter_context(serving)
        self._emulator.admit(self.page)

    # Its data goes back

    def back_up(self) -> str:
        """A backup of the table, by its ARN."""
        backup = self._client("dynamodb").create_backup(TableName=self.endpoint.table, BackupName="before")
        return str(backup["BackupDetails"]["BackupArn"])

    def recover(self, backup: str) -> None:
        """As the operations page says: stops the function, restores into a new table, deploys with it, goes on."""
        functions, message = self._client("lambda"), self._message_function()
        functions.put_function_concurrency(FunctionName=message, ReservedConcurrentExecutions=0)
        restored = f"{self.endpoint.table}-restored"
        self._client("dynamodb").restore_table_from_backup(TargetTableName=restored, BackupArn=backup)
        self.endpoint = deploy(self._emulator, f"tableName={restored}")
        assert self.endpoint.table == restored
        functions.delete_function_concurrency(FunctionName=message)
        self._end_connections()

    def save(self) -> Path:
        """What it holds, in a folder of its own."""
        self.stop()
        saved = self._folder.with_name("saved")
        shutil.copytree(self._emulator.state, saved)
        self.start()
        return saved

    def crash_and_start_from(self, saved: Path) -> None:
        """It is killed, and goes on with the older state. The operator says so by another epoch."""
        assert self._emulator.process is not None
        os.killpg(self._emulator.process.pid, signal.SIGKILL)
        self.stop()
        shutil.rmtree(self._emulator.state)
        shutil.copytree(saved, self._emulator.state)
        self._start()
        self.endpoint = deploy(self._emulator, "epoch=2")
        self._end_connections()
        self._serve()

    def _message_function(self) -> str:
        functions = self._client("lambda").list_functions()["Functions"]
        (name,) = (function["FunctionName"] for function in functions if function["Handler"] == "message.handler")
        return str(name)

    def _end_connections(self) -> None:
        """So that clients sync now: at their heartbeats it would take minutes."""
        there = replace(self.endpoint, endpoint_url=self.endpoint.management_url)
        gateway = local_client("apigatewaymanagementapi", there)
        for item in self._client("dynamodb").scan(TableName=self.endpoint.table)["Items"]:
            if item["sk"]["S"] == SESSIONS:
                for id in connection_ids({name: next(iter(value.values())) for name, value in item.items()}):
                    with suppress(gateway.exceptions.GoneException):
                        gateway.delete_connection(ConnectionId=id)

    def _client(self, service: str) -> Any:
        return local_client(service, self.endpoint)
