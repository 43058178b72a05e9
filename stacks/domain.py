"""A custom domain for the WebSocket API: the certificate, the name and its DNS record."""

from __future__ import annotations

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct


class ChatDomain(Construct):
    """Points `name` to the stage. `hosted_zone_id` names a public zone of Route 53 that answers for it."""

    def __init__(
        self, scope: Construct, id: str, *, name: str, hosted_zone_id: str, stage: apigateway.WebSocketStage
    ) -> None:
        super().__init__(scope, id)
        # The zone's name does not matter: the record's name is fully qualified.
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=hosted_zone_id, zone_name=name
        )
        certificate = acm.Certificate(
            self, "Certificate", domain_name=name, validation=acm.CertificateValidation.from_dns(zone)
        )
        domain = apigateway.DomainName(self, "Name", domain_name=name, certificate=certificate)
        apigateway.ApiMapping(self, "Mapping", api=stage.api, domain_name=domain, stage=stage)
        target = targets.ApiGatewayv2DomainProperties(domain.regional_domain_name, domain.regional_hosted_zone_id)
        route53.ARecord(self, "Address", zone=zone, target=route53.RecordTarget.from_alias(target))
        self.url = f"wss://{name}"
        """Where clients connect; the address does not contain the stage."""
