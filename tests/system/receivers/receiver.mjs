// A receiver of webhooks on loopback that leaves the verification to the npm package `standardwebhooks`.
//
//     node receiver.mjs SECRET...
//
// Prints {"port"}, then a line of JSON for each request: its type and its webhook-id, which of the secrets verify it, and what the
// package says of it when the body, the id or the time is another one.
import http from "node:http";
import { Webhook } from "standardwebhooks";

const secrets = process.argv.slice(2);

function complaint(secret, body, headers) {
  try {
    new Webhook(secret).verify(body, headers);
    return null;
  } catch (error) {
    return `${error.name ?? error.constructor.name}: ${error.message}`;
  }
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString("utf8"), headers = request.headers;
    const complaints = secrets.map((secret) => complaint(secret, body, headers));
    const good = secrets.find((_, i) => complaints[i] === null) ?? secrets[0];
    const old = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) - 3600) };
    console.log(JSON.stringify({
      type: JSON.parse(body).type, data: JSON.parse(body).data, id: headers["webhook-id"], complaints,
      signatures: headers["webhook-signature"].split(" ").length,
      tampered: complaint(good, body.replace('"camera":"gate"', '"camera":"gata"'), headers),
      repainted: complaint(good, body.replace(/"base64":"..../, '"base64":"AAAA'), headers),
      another: complaint(good, body, { ...headers, "webhook-id": "msg_x" }),
      stale: complaint(good, body, old),
    }));
    response.writeHead(complaints.includes(null) ? 204 : 401).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
