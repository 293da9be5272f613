#!/usr/bin/env python3
"""A server that speaks the OpenAI chat API and misbehaves on request. For tests: standard library only.

    chat_server.py ROOT         serves until killed; writes its port into ROOT/port once it listens

POST /v1/chat/completions answers the prompts of src/synth/ask.c with as many sets as they ask for: texts that say which batch and which set
they belong to. ROOT/faults.json is a list of faults, read again whenever it changes; the first that matches a request strikes:
{"do": WHAT, "match": REGEX on the user's prompt (default all), "times": how often (default always), "skip": requests let through first}
    status     reply "status" with "body" and "headers"        drop       close without a reply
    garbage    200 with a page of HTML                         stall      nothing for "seconds"
    slow       wait "seconds" first                            envelope   200 with JSON that is no chat answer
    content    the model writes "text"                         empty      {"sets": []}
    few, many  three sets less, five more                      fenced     in ```json with talk around it, as a bare list
    cut        the second half is missing, finish_reason length   parts   content as a list of parts
    declined   no content, a "refusal"                         no_schema  400 when the request has a response_format of json_schema
    no_format  400 when it has any response_format             same       the sets of batch 1, whatever the batch
    upper      keys in capitals                                long       the second text is far longer
    echo_key   401 that repeats the key
ROOT/log.jsonl gets a line per request: path, authorization, format, model, batch, status.
"""
import json
import pathlib
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
state = {"stamp": None, "faults": []}


def find_fault(root, prompt):
    path = root / "faults.json"
    with lock:
        try:
            info = path.stat()
            stamp = (info.st_mtime_ns, info.st_ino, info.st_size)
        except FileNotFoundError:
            stamp = None
        if stamp != state["stamp"]:
            state["stamp"] = stamp
            state["faults"] = json.loads(path.read_text()) if stamp else []
            for fault in state["faults"]:
                fault["seen"] = 0
        for fault in state["faults"]:
            if not re.search(fault.get("match", ""), prompt):
                continue
            fault["seen"] += 1
            skip = fault.get("skip", 0)
            if skip < fault["seen"] <= skip + fault.get("times", sys.maxsize):
                return fault
    return {}


def write_sets(prompt, do):
    n, m = map(int, re.search(r"Write (\d+) sets of (\d+) texts", prompt).groups())
    batch = 1 if do == "same" else int(re.search(r"\(Batch (\d+)\.\)", prompt)[1])
    n += {"few": -3, "many": 5}.get(do, 0)
    keys = [chr(ord("A" if do == "upper" else "a") + k) for k in range(m)]
    sets = [{key: f"Story {batch} of chapter {k} is a quiet one about side {key.lower()}." for key in keys} for k in range(max(n, 0))]
    if do == "long":
        for one in sets:
            one["b"] += " And then it goes on for a good deal longer, far beyond the other, on and on and on."
    return [] if do == "empty" else sets


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, status, body, headers=None):
        self.note(status)
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):  # the client was killed
            self.close_connection = True

    def note(self, status):
        line = {"path": self.path, "authorization": self.headers.get("Authorization"), "format": (self.request_json.get("response_format") or {}).get("type"),
                "model": self.request_json.get("model"), "temperature": self.request_json.get("temperature"), "status": status, "batch": self.batch}
        with lock, open(self.server.root / "log.jsonl", "a") as out:
            out.write(json.dumps(line) + "\n")

    def do_POST(self):
        self.request_json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = self.request_json["messages"][-1]["content"]
        found = re.search(r"\(Batch (\d+)\.\)", prompt)
        self.batch = int(found[1]) if found else 0
        fault = find_fault(self.server.root, prompt)
        do = fault.get("do")
        wanted = (self.request_json.get("response_format") or {}).get("type")
        if self.path != "/v1/chat/completions":
            return self.send(404, '{"error": {"message": "no such route"}}')
        if do == "status":
            return self.send(fault["status"], fault.get("body", ""), fault.get("headers"))
        if do == "drop":
            self.note(0)
            self.close_connection = True
            return None
        if do in ("stall", "slow"):
            time.sleep(fault["seconds"])
            if do == "stall":
                self.close_connection = True
                return None
        if do == "garbage":
            return self.send(200, "<html>overloaded</html>")
        if do == "envelope":
            return self.send(200, '{"choices": [], "ok": true}')
        if do == "echo_key":
            return self.send(401, json.dumps({"error": {"message": "Incorrect API key provided: " + self.headers.get("Authorization", "").removeprefix("Bearer ")}}))
        if (do == "no_schema" and wanted == "json_schema") or (do == "no_format" and wanted):
            return self.send(400, '{"error": {"message": "response_format is not supported"}}')
        return self.answer(prompt, do, fault)

    def answer(self, prompt, do, fault):
        sets = write_sets(prompt, do)
        text, ending, message = json.dumps({"sets": sets}), "stop", {"role": "assistant"}
        if do == "content":
            text = fault["text"]
        if do == "fenced":
            text = "Sure! Here are the {sets}:\n```json\n" + json.dumps(sets, indent=1) + "\n```\nTell me if you want {more}."
        if do == "cut":
            text, ending = text[:len(text) // 2], "length"
        if do == "parts":
            message["content"] = [{"type": "text", "text": text[:40]}, {"type": "text", "text": text[40:]}]
        elif do == "declined":
            message.update(content=None, refusal="I will not write that")
        else:
            message["content"] = text
        self.send(200, json.dumps({"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": ending}],
                                   "usage": {"prompt_tokens": 100, "completion_tokens": 1000}}))


def main():
    root = pathlib.Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.root = True, root
    (root / ".port").write_text(f"{server.server_address[1]}\n")
    (root / ".port").rename(root / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
