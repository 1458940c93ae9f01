// Posts every example payload to URL, signed with SECRET, in both content types; prints one JSON line per answer.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { sign } from "@octokit/webhooks-methods";

const examples = createRequire(import.meta.url)("@octokit/webhooks-examples");
const [url, secret] = process.argv.slice(2);

async function post(event, body, contentType) {
  const answer = await fetch(url, {
    method: "POST",
    body,
    headers: {
      "content-type": contentType,
      "x-github-event": event,
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": await sign(secret, body),
    },
  });
  return { status: answer.status, answer: await answer.json() };
}

for (const { name, examples: payloads } of examples.default ?? examples) {
  for (const payload of payloads) {
    const json = JSON.stringify(payload);
    const form = "payload=" + encodeURIComponent(json);
    const first = await post(name, json, "application/json");
    const second = await post(name, form, "application/x-www-form-urlencoded");
    console.log(JSON.stringify({ event: name, ref: payload.ref, deleted: payload.deleted, first, second }));
  }
}
