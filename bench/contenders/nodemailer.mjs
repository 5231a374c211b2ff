// Sends mails by nodemailer's pool; told by lines {"count": n} on its standard input, answers each with "done".
// node nodemailer.mjs PORT FOLDER, where FOLDER holds node_modules and mail.json (subject, html, text, sender, recipient).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [port, folder, installed] = process.argv.slice(2);
const nodemailer = createRequire(`${installed}/`)("nodemailer");
const mail = JSON.parse(readFileSync(`${folder}/mail.json`, "utf8"));
const transport = nodemailer.createTransport({
  pool: true, maxConnections: 8, maxMessages: Infinity, host: "127.0.0.1", port: Number(port), secure: false, ignoreTLS: true,
});
let number = 0;

const pad = (value, width) => String(value).padStart(width, "0");
const values = (n) => ({
  QUEUE_NAME: `Sales ${pad(n % 1000, 3)}`, QUEUE_NUMBER: `${8000 + (n % 1000)}`, CALLER_NAME: `Zoë Rivera ${pad(n, 8)}`,
  CALLER_NUMBER: `+1555${pad(n % 10_000_000, 7)}`, SLA_TIME: `${10 + (n % 90)}`, BREACHSLANO: `${n % 10}`, WAITSESSIONNO: `${n % 7}`,
});
const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const fill = (template, facts, escape) => template.replace(/%%([A-Z_]+)%%/g, (_, name) => escape(facts[name]));

function message() {
  const facts = values(number++);
  return {
    from: mail.sender, to: mail.recipient,
    subject: fill(mail.subject, facts, String), html: fill(mail.html, facts, escaped), text: fill(mail.text, facts, String),
  };
}

// As many sends under way at once as keep eight connections busy; the pool queues the rest.
async function sendAll(count) {
  let left = count;
  const sender = async () => { while (left-- > 0) await transport.sendMail(message()); };
  await Promise.all(Array.from({ length: 64 }, sender));
}

for await (const line of createInterface({ input: process.stdin })) {
  await sendAll(JSON.parse(line).count);
  process.stdout.write("done\n");
}
transport.close();
