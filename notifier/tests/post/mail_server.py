"""A mail server for the tests: aiosmtpd. It prints each letter that it takes as a line of JSON."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    put_off = True

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 there is nobody of that name"
        if address.startswith("later@") and self.put_off:
            self.put_off = False
            return "451 4.3.2 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "subject": letter["subject"],
            "message_id": letter["message-id"],
            "text": letter.get_body(("plain",)).get_content(),
            "html": letter.get_body(("html",)).get_content(),
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, login):
    good = login.login == b"fleet" and login.password == b"swordfish"
    # Not handled: the server says 535 itself.
    return AuthResult(success=good, handled=False)


async def main(port, certificate=None, key=None, implicit=None):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    handler = Handler()

    # Either the connection is encrypted from its beginning, or by STARTTLS.
    starttls = None if implicit else context

    def session():
        return SMTP(handler, authenticator=authenticate, auth_required=True, tls_context=starttls,
                    require_starttls=starttls is not None, auth_require_tls=starttls is not None)

    server = await asyncio.get_running_loop().create_server(
        session, "localhost", int(port), ssl=context if implicit else None)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
