"""Status pages of relays, from a captured document: all that a redirect needs of a relay.

Run: bench/relays.py PORT ADDRESS...
"""
import http.server, pathlib, sys, threading

page = (pathlib.Path(__file__).parents[1] / "tests/data/status-json/2.4.4-one-source-object.json").read_bytes()

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/status-json.xsl"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(page) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(page)

    def log_message(self, *_):
        pass

port = int(sys.argv[1])
servers = [http.server.ThreadingHTTPServer((address, port), Page) for address in sys.argv[2:]]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
