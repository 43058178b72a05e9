"""A new version of a function gets a tenth of the traffic first, and none of it if an alarm fires meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from constructs import Construct

from .functions import ChatFunction
from .log_metrics import FunctionName

ROLLBACK_ALARMS: Mapping[FunctionName, tuple[str, ...]] = {
    "Announcement": ("AnnouncementErrors", "AnnouncementFailures"),
    "Authorizer": ("AuthorizerErrors",),
    "Backend": ("BackendErrors", "InternalErrors"),
    "Connection": ("ConnectionErrors", "ConnectionFailures"),
    "Message": ("MessageErrors", "InternalErrors"),
    "Stream": ("StreamErrors",),
}
"""Alarms that a bad version sets off by itself. Their windows are five minutes, so a shift sees two of them."""


class GradualShift(Construct):
    """Shifts each function's alias from the previous version to the new one, all in parallel."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Mapping[FunctionName, ChatFunction],
        alarms: Mapping[str, cloudwatch.Alarm],
    ) -> None:
        super().__init__(scope, id)
        application = codedeploy.LambdaApplication(self, "Application")
        for name, function in functions.items():
            codedeploy.LambdaDeploymentGroup(
                self,
                name,
                application=application,
                alias=function.alias,
                deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_10_MINUTES,
                alarms=[alarms[alarm] for alarm in ROLLBACK_ALARMS[name]],
            )
