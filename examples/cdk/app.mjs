// A CDK application that has the MFA stack inside, and an HTTP API behind its authorizer.
import { App, CfnOutput, CfnStack, Duration, Stack } from "aws-cdk-lib";
import { HttpApi, HttpMethod } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpUrlIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Function } from "aws-cdk-lib/aws-lambda";
import { Asset } from "aws-cdk-lib/aws-s3-assets";

const stack = new Stack(new App(), "application");

// CDK uploads the packaged template and hands it to CloudFormation as it is.
const template = new Asset(stack, "Template", { path: process.env.MFA_TEMPLATE ?? "packaged.yaml" });
const mfa = new CfnStack(stack, "Mfa", {
  templateUrl: template.httpUrl,
  parameters: {
    AppName: "Example",
    Methods: "totp",
    Login: "cognito",
    JwtIssuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE",
    JwtAudience: "the-client-id",
    AllowedOrigins: "https://app.example.com",
  },
});
new CfnOutput(stack, "MfaUrl", { value: mfa.getAtt("Outputs.ApiUrl").toString() });

// The application's own API. Every route that is added to it asks the authorizer.
const authorizer = Function.fromFunctionAttributes(stack, "Authorizer", {
  functionArn: mfa.getAtt("Outputs.AuthorizerArn").toString(),
  sameEnvironment: true, // or else CDK does not let the API invoke it
});
const api = new HttpApi(stack, "Api", {
  defaultAuthorizer: new HttpLambdaAuthorizer("SecondFactor", authorizer, {
    responseTypes: [HttpLambdaResponseType.SIMPLE],
    // Never answer from a cache: the answer for a lax route would open a strict one.
    resultsCacheTtl: Duration.seconds(0),
    identitySource: ["$request.header.Authorization", "$context.routeKey"],
  }),
});

api.addRoutes({
  path: "/transfers",
  methods: [HttpMethod.POST],
  integration: new HttpUrlIntegration("Application", "https://application.example.com/transfers"),
});

stack.node.root.synth();
