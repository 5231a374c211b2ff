// The npm package smtp-server on the ports of the matrix: takes mail for everybody, one file each.
// Told by the environment (RINGPOST_SMTP_SERVER): address, ports, paths, the login.

import { createRequire } from "node:module";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const told = JSON.parse(process.env.RINGPOST_SMTP_SERVER);
const { SMTPServer } = createRequire(join(told.modules, "index.js"))("smtp-server");
let number = 0;

function authenticate(auth, session, done) {
  if (auth.username === told.username && auth.password === told.password) {
    done(null, { user: auth.username });
  } else {
    const refused = new Error("5.7.8 authentication failed");
    refused.responseCode = 535;
    done(refused);
  }
}

function keep(stream, session, done) {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.on("end", () => {
    const name = `${process.pid}-${++number}.eml`;
    const how = `ESMTP${session.secure ? "S" : ""}${session.user ? "A" : ""}`;
    const received = Buffer.from(`Received: from ${session.hostNameAppearsAs} with ${how}\r\n`);
    writeFileSync(join(told.folder, name), Buffer.concat([received, ...chunks]));
    renameSync(join(told.folder, name), join(told.mailbox, name));
    done(null, "2.0.0 kept");
  });
}

for (const { port, implicit, starttls, login, required, clearLogin, utf8, certificate } of told.ports) {
  const pem = readFileSync(certificate);
  const server = new SMTPServer({
    name: "mail.example.com",
    secure: implicit,
    key: pem,
    cert: pem,
    hideSTARTTLS: !starttls,
    authMethods: login ? ["PLAIN", "LOGIN"] : [],
    authOptional: !required,
    allowInsecureAuth: clearLogin,
    hideSMTPUTF8: !utf8,
    disabledCommands: [...(starttls ? [] : ["STARTTLS"]), ...(login ? [] : ["AUTH"])],
    disableReverseLookup: true,
    onAuth: authenticate,
    onData: keep,
  });
  server.on("error", () => {}); // Clients that go away, or speak no TLS: what many tests are about.
  server.listen(port, told.address);
}
