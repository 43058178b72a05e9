"""The web page, hosted: in a bucket that only CloudFront reads, written by the deploy."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_s3_deployment as deployment
from constructs import Construct

from . import web_hosting
from .web_hosting import SignIn, TokenPlace

HSTS_MAX_AGE = Duration.days(365)
"""How long browsers remember to load the page over HTTPS only."""


class ChatWeb(Construct):
    """The bucket, the distribution, and the function that copies the page when the stack is deployed.

    The page connects to the socket at `url`. `name` must be unique in the account, since CloudFront is global. Without
    `custom_resources`, the CDK's functions that copy and empty, the bucket stays as it is made: empty.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        url: str,
        sign_in: SignIn,
        token_in: TokenPlace,
        throwaway: bool,
        custom_resources: bool,
    ) -> None:
        super().__init__(scope, id)
        self._bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY if throwaway else RemovalPolicy.RETAIN,
            auto_delete_objects=throwaway and custom_resources,
        )
        access_control = cloudfront.S3OriginAccessControl(self, "AccessControl", origin_access_control_name=name)
        origin = origins.S3BucketOrigin.with_origin_access_control(self._bucket, origin_access_control=access_control)
        self._distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=name,
            default_root_object="index.html",
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origin,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                response_headers_policy=self._headers(name, web_hosting.headers(url)),
            ),
        )
        if custom_resources:
            self._copy(web_hosting.config(url, sign_in, token_in))

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"https://{self._distribution.distribution_domain_name}/"

    def _copy(self, config: dict[str, str]) -> None:
        """Makes each deploy write the page and its configuration into the bucket."""
        page, client = self._assets()
        log_group = logs.LogGroup(
            self, "DeploymentLogs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        role = self._deployment_role(page.bucket)
        log_group.grant_write(role)
        deployment.BucketDeployment(
            self,
            "Deployment",
            sources=[
                deployment.Source.bucket(page.bucket, page.s3_object_key),
                deployment.Source.bucket(client.bucket, client.s3_object_key),
                deployment.Source.json_data(web_hosting.CONFIG, config),
            ],
            destination_bucket=self._bucket,
            # Browsers and CloudFront ask whether a file has changed, so there is nothing to invalidate.
            cache_control=[deployment.CacheControl.no_cache()],
            log_group=log_group,
            role=role.without_policy_updates(),  # the CDK would grant much more than what is called
        )

    def _assets(self) -> tuple[assets.Asset, assets.Asset]:
        """The page's own files; and the client's modules, in a folder below them."""
        modules = web_hosting.MODULES
        all_others = ["*", f"!{modules}", f"!{modules}/*.js"]
        return (
            assets.Asset(self, "Page", path=str(web_hosting.PAGE)),
            assets.Asset(self, "Client", path=str(web_hosting.CLIENT), exclude=all_others),
        )

    def _deployment_role(self, assets_bucket: s3.IBucket) -> iam.Role:
        role = iam.Role(self, "DeploymentRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        grants = {
            # All assets: a rollback needs those of the deploy before.
            assets_bucket.arn_for_objects("*"): ["s3:GetObject"],
            self._bucket.bucket_arn: ["s3:ListBucket"],
            self._bucket.arn_for_objects("*"): ["s3:DeleteObject", "s3:PutObject"],
        }
        for resource, actions in grants.items():
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        # If the account was bootstrapped with a key of its own, the assets are encrypted with it.
        stack = Stack.of(self)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[stack.format_arn(service="kms", resource="key", resource_name="*")],
                conditions={"StringEquals": {"kms:ViaService": f"s3.{stack.region}.{stack.url_suffix}"}},
            )
        )
        return role

    def _headers(self, name: str, headers: dict[str, str]) -> cloudfront.CfnResponseHeadersPolicy:
        """The headers. CloudFront has a field for each security header, and takes the others as they are."""
        policy = cloudfront.CfnResponseHeadersPolicy
        security = policy.SecurityHeadersConfigProperty(
            content_security_policy=policy.ContentSecurityPolicyProperty(
                content_security_policy=headers.pop("Content-Security-Policy"), override=True
            ),
            referrer_policy=policy.ReferrerPolicyProperty(
                referrer_policy=headers.pop("Referrer-Policy"), override=True
            ),
            strict_transport_security=policy.StrictTransportSecurityProperty(
                access_control_max_age_sec=HSTS_MAX_AGE.to_seconds(), override=True
            ),
            content_type_options=policy.ContentTypeOptionsProperty(override=True),
        )
        del headers["X-Content-Type-Options"]  # its field has only one possible value
        others = [
            policy.CustomHeaderProperty(header=header, value=value, override=True) for header, value in headers.items()
        ]
        return policy(
            self,
            "Headers",
            response_headers_policy_config=policy.ResponseHeadersPolicyConfigProperty(
                name=name,
                security_headers_config=security,
                custom_headers_config=policy.CustomHeadersConfigProperty(items=others),
            ),
        )
