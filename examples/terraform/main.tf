# The MFA stack in Terraform, and an HTTP API behind its authorizer.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "bucket" {
  description = "A bucket for the template, such as the one that the zips are in."
  type        = string
}

variable "packaged_template" {
  type    = string
  default = "packaged.yaml"
}

data "aws_s3_bucket" "templates" {
  bucket = var.bucket
}

# The template is longer than `template_body` may be. A changed template gets another key, because
# Terraform compares the address alone.
resource "aws_s3_object" "template" {
  bucket = var.bucket
  key    = "mfa/${filemd5(var.packaged_template)}.yaml"
  source = var.packaged_template
}

resource "aws_cloudformation_stack" "mfa" {
  name         = "mfa"
  template_url = "https://${data.aws_s3_bucket.templates.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters = {
    AppName        = "Example"
    Methods        = "totp"
    Login          = "cognito"
    JwtIssuer      = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"
    JwtAudience    = "the-client-id"
    AllowedOrigins = "https://app.example.com"
  }
}

output "mfa_url" {
  value = aws_cloudformation_stack.mfa.outputs["ApiUrl"]
}

# The application's own API. Each route of it needs the authorizer, or it is open.
resource "aws_apigatewayv2_api" "application" {
  name          = "application"
  protocol_type = "HTTP"
}

data "aws_lambda_function" "authorizer" {
  function_name = aws_cloudformation_stack.mfa.outputs["AuthorizerArn"]
}

resource "aws_apigatewayv2_authorizer" "second_factor" {
  api_id                            = aws_apigatewayv2_api.application.id
  name                              = "second-factor"
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = data.aws_lambda_function.authorizer.invoke_arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
  identity_sources                  = ["$request.header.Authorization", "$context.routeKey"]
  # Never answer from a cache: the answer for a lax route would open a strict one.
  authorizer_result_ttl_in_seconds = 0
}

resource "aws_lambda_permission" "authorizer" {
  action        = "lambda:InvokeFunction"
  function_name = data.aws_lambda_function.authorizer.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.application.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.second_factor.id}"
}

resource "aws_apigatewayv2_integration" "application" {
  api_id             = aws_apigatewayv2_api.application.id
  integration_type   = "HTTP_PROXY"
  integration_method = "POST"
  integration_uri    = "https://application.example.com/transfers"
}

resource "aws_apigatewayv2_route" "transfers" {
  api_id             = aws_apigatewayv2_api.application.id
  route_key          = "POST /transfers"
  target             = "integrations/${aws_apigatewayv2_integration.application.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.second_factor.id
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.application.id
  name        = "$default"
  auto_deploy = true
}
