// probot: verifies and parses each push and counts its commits; nothing is recorded.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createNodeMiddleware, createProbot } from "probot";

const [port, secret] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs1", format: "pem" },
  publicKeyEncoding: { type: "pkcs1", format: "pem" },
});
const probot = createProbot({
  env: {},
  overrides: { appId: 1, privateKey, secret, logLevel: "warn" },
});
let commits = 0;
const application = (app) => {
  app.on("push", async ({ payload }) => {
    commits += payload.commits.length;
  });
};
const middleware = await createNodeMiddleware(application, { probot, webhooksPath: "/webhooks/github" });
createServer((request, response) => {
  middleware(request, response, () => response.writeHead(404).end());
}).listen(Number(port), "127.0.0.1");
