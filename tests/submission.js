// submission.js start|wrap PORT CERTIFICATE: nodemailer as a mail program. Exit 0: two messages were sent, two wrong
// passwords and a relay refused, each with the code that it should have.
const fs = require("fs");
const mailer = require("nodemailer");

const [mode, port, certificate] = process.argv.slice(2);
const mail = { from: "a@b.example", to: "u@elsewhere.example", subject: "x", text: "x" };

function send(method, pass) {
	const transport = mailer.createTransport({
		host: "127.0.0.1", port: Number(port), name: "client.example", secure: mode === "wrap", requireTLS: true,
		tls: { ca: fs.readFileSync(certificate), servername: "mx.example.org" },
		authMethod: method, auth: method && { user: "joe", pass }, connectionTimeout: 10000, socketTimeout: 10000,
	});
	return transport.sendMail(mail).finally(() => transport.close());
}

async function refused(code, method, pass) {
	let answer;
	try {
		answer = await send(method, pass);
	} catch (e) {
		if (e.responseCode === code)
			return;
		throw e;
	}
	throw new Error(`${code} was expected: ${answer.response}`);
}

(async () => {
	for (const method of ["PLAIN", "LOGIN"]) {
		await send(method, "secret");
		await refused(535, method, "wrong");
	}
	await refused(553);
})().catch((e) => {
	console.error(e);
	process.exit(1);
});
