"""Takes alerts by webhook and prints them, after it has made sure that they are the fleet's.

    python webhook.py --secret swordfish --port 8000

Standard library only. In the dashboard: Notifications, Add a channel, Webhook, http(s)://this-machine:8000/, the same secret.
"""

import argparse
import hashlib
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Whoever listens in could send an old message again; after so many seconds that is of no use.
LONGEST_S = 300
MAX_BYTES = 2_000_000


def is_ours(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """Whether whoever knows the secret has signed the body at that time."""
    signed = timestamp.encode() + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)


class Hook(BaseHTTPRequestHandler):
    secret = ""
    seen: set[str] = set()

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(length, MAX_BYTES))
        timestamp = self.headers.get("X-BugBrother-Timestamp", "")
        signature = self.headers.get("X-BugBrother-Signature", "")
        is_new = timestamp.isdigit() and abs(time.time() - int(timestamp)) <= LONGEST_S
        if not is_new or not is_ours(self.secret, timestamp, body, signature):
            return self.answer(403)
        message = json.loads(body)
        # The same identity at each try: what was taken once is not taken again.
        if message["id"] not in self.seen:
            self.seen.add(message["id"])
            for told in message["alerts"]:
                print(told["step"], told["vehicle"]["name"], told["alert"]["title"], told.get("place", ""), flush=True)
        self.answer(204)

    def answer(self, status: int):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--secret", required=True)
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    Hook.secret = arguments.secret
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Hook)
    print("listening", flush=True)
    server.serve_forever()
